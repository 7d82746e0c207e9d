"""S9: nothing turns data into code, and nothing starts a process but the supervisor of `--workers`."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted(file for folder in ("gateway", "plugins", "alembic") for file in (ROOT / folder).rglob("*.py"))
CALLS = {"eval", "exec", "compile", "__import__", "execfile"}
MODULES = {"pickle", "cPickle", "marshal", "shelve", "dill", "yaml", "jinja2", "mako", "subprocess", "pty", "code"}
METHODS = {
    "os.system", "os.popen", "os.execv", "os.execve", "os.execvp", "os.spawnv", "os.fork", "os.posix_spawn",
    "asyncio.create_subprocess_exec", "asyncio.create_subprocess_shell", "builtins.eval", "builtins.exec",
}  # fmt: skip
ALLOWED = {
    # The supervisor starts the workers, before anything is served.
    "gateway/server/supervisor.py": {"subprocess", "multiprocessing"},
    # What plugin authors test with: a whole gateway beside the test. No command imports it.
    "gateway/testing/running.py": {"asyncio.create_subprocess_exec"},
    # `gateway plugins check` and the kit behind it: an author's command, which runs the plugin in a child so that one
    # that hangs or exits ends nothing else. No serving process imports them.
    "gateway/cli/plugins/check.py": {"subprocess"},
    "gateway/testing/conformance/plugin.py": {"subprocess"},
    # A configuration of LiteLLM's is YAML. Only its safe loader is used, see below.
    "gateway/cli/importing/litellm/document.py": {"yaml"},
}


def findings(source: str) -> Iterator[str]:
    """What in a source could run data, or start a process."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.partition(".")[0] in MODULES)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            if (node.module or "").partition(".")[0] in MODULES:
                yield node.module or ""
            yield from (name for alias in node.names if (name := f"{node.module}.{alias.name}") in METHODS)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CALLS:
            yield node.func.id
        elif isinstance(node, ast.Attribute) and ast.unparse(node) in METHODS:
            yield ast.unparse(node)


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_no_data_becomes_code(file: Path) -> None:
    allowed = ALLOWED.get(file.relative_to(ROOT).as_posix(), set())
    assert [found for found in findings(file.read_text("utf-8")) if found not in allowed] == []


@pytest.mark.parametrize(
    "source",
    [
        "eval(body)",
        "exec(row.code)",
        "import pickle",
        "from pickle import loads",
        "import yaml",
        "import subprocess",
        "os.system(name)",
        "from os import system",
        "asyncio.create_subprocess_shell(x)",
        "__import__(name)",
        "def f():\n    from jinja2 import Template",
    ],
)
def test_the_scan_finds_a_weakened_variant(source: str) -> None:
    assert list(findings(source))


def test_plugins_are_imported_by_the_loader_alone() -> None:
    """Names of modules come from entry points and named files: nobody else imports by a computed name."""
    importers = {
        file.relative_to(ROOT).as_posix()
        for file in FILES
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Attribute | ast.Name)
        and (node.attr if isinstance(node, ast.Attribute) else node.id)
        in ("import_module", "spec_from_file_location", "exec_module")
    }
    # The other three import from tables of constants, to start fast.
    constant = {"gateway/__init__.py", "gateway/cli/lazy.py", "plugins/gateway_openai/library.py"}
    # The kit reads what an author declared beside a plugin that it was told to test.
    kit = {"gateway/testing/conformance/declared.py"}
    assert importers - constant - kit == {"gateway/runtime/discovery.py"}


def test_yaml_is_loaded_by_the_safe_loader_alone() -> None:
    source = (ROOT / "gateway/cli/importing/litellm/document.py").read_text("utf-8")
    used = {ast.unparse(node) for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Attribute)}
    loading = {name for name in used if name.startswith("yaml.") and ("load" in name.lower() or name == "yaml.parse")}
    assert loading == {"yaml.SafeLoader", "yaml.parse"}
