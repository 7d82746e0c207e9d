"""What every plugin has to do as a whole: load cleanly, keep to the public door, claim no other's name, start, stop."""

import ast
import json
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from pydantic import BaseModel, SecretBytes, SecretStr

from gateway.runtime import Generation, PluginLoadError, assemble, load_plugins
from gateway.settings import Settings
from gateway.testing.bench import Bench
from gateway.testing.conformance.evidence import Evidence
from gateway.testing.conformance.suite import Conformance, check, fail, skip
from gateway.testing.standin import StandInGateway, StandInSnapshot

_PRIVATE: Final = frozenset({"api", "app", "cli", "egress", "pipeline", "routing", "runtime", "server", "usage"})
"""Packages of the gateway that may change with any release."""
_HEAVY: Mapping[str, str] = MappingProxyType(
    {"alembic": "", "litestar": "on_app_init", "openai": "", "sqlalchemy": "", "uvicorn": ""}
)
"""What costs every start its time, and the hook that excuses it."""
_SECRET: Final = re.compile(r"(?:^|_)(?:api_?key|key|token|secret|password|passwd|credential)s?$")
_PROBE: Final = """
import json, os, sys, threading
before, environ = set(sys.modules), dict(os.environ)
sys.path[:0] = json.loads(sys.argv[2])
import importlib, importlib.util
if sys.argv[1].endswith(".py"):
    spec = importlib.util.spec_from_file_location("plugin_under_test", sys.argv[1])
    module = importlib.util.module_from_spec(spec)
    sys.modules["plugin_under_test"] = module
    spec.loader.exec_module(module)
else:
    importlib.import_module(sys.argv[1])
found = {
    "modules": sorted({name.partition(".")[0] for name in set(sys.modules) - before}),
    "threads": threading.active_count() - 1,
    "environ": sorted(name for name in os.environ.keys() | environ.keys() if os.environ.get(name) != environ.get(name)),
}
sys.stderr.write("\\n\\x1e" + json.dumps(found) + "\\n")
"""


class PluginConformance(Conformance):
    """Loads the plugin as the gateway does, alone and among the gateway's own, and runs a whole gateway with it."""

    kind = "plugin"

    def made(self, gateway: Any) -> Generation:
        """All that the plugin registers."""
        return self.subject.generation(gateway)

    @check
    async def test_loads(self) -> None:
        """Its code can be imported, its hooks exist and can be called, its settings are understood."""
        entry = self.subject.entry
        if oversights := [text for text in self.subject.plugins.warnings if f"plugin '{entry.name}'" in text]:
            fail(oversights[0])

    @check
    async def test_registers_what_serves(self) -> None:
        """Every hook returns objects that fit their protocols, and does so again for the next generation."""
        for time in ("", "the second time: a hook runs for every generation, so keep no state in the module: "):
            try:
                async with Bench(self.made, settings=self.subject.settings) as bench:
                    failed = bench.generation.failed
            except PluginLoadError as error:
                fail(f"{time}{error}")
            if failed:  # the gateway serves without plugins of some kinds, and says so
                fail(f"{time}{next(iter(failed.values()))}")

    @check
    async def test_claims_nobodys_name(self) -> None:
        """Beside the gateway's own plugins its name and its providers' and strategies' names are its own."""
        subject = self.subject
        with tempfile.TemporaryDirectory() as folder:
            section = {**subject.section, "enabled": True}
            files = (subject.file,) if subject.file else ()
            settings = Settings(data_dir=Path(folder), plugins={subject.name: section}, plugin_files=files)
            plugins = load_plugins(settings)
            if told := [text for text in plugins.problems() if f"'{subject.name}'" in text]:
                fail(f"claims another's name: {told[0]}" if "two plugins are called" in told[0] else told[0])
            async with Bench(lambda gateway: Generation(number=1)) as bench:
                try:
                    assemble(plugins, lambda entry: _door(bench, entry.settings), 1)
                except PluginLoadError as error:
                    fail(f"claims another's name: {error}")

    @check
    async def test_imports_cleanly(self) -> None:
        """Importing it prints nothing, starts nothing, changes no environment, loads nothing heavy."""
        subject = self.subject
        entry, file = subject.entry, subject.file
        # An interpreter of its own: this one has imported everything already.
        command = [sys.executable, "-c", _PROBE, str(file or entry.origin.partition(":")[0]), json.dumps(sys.path)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603, ASYNC221
        printed, _, report = done.stderr.rpartition("\x1e")
        if not report.startswith("{"):
            fail(f"cannot be imported alone: {done.stderr.strip().rpartition(chr(10))[2]}")
        found = json.loads(report)
        if noise := (done.stdout + printed).strip():
            fail(f"prints when it is imported: {noise[:200]!r}; use `gateway.log` in a hook")
        if found["threads"]:
            fail("starts a thread when it is imported; use the hook `lifespan`")
        if found["environ"]:
            fail(f"changes the environment when it is imported: {', '.join(found['environ'])}")
        for name in sorted(_HEAVY.keys() & set(found["modules"])):
            if _HEAVY[name] not in entry.hooks:
                fail(f"imports '{name}' when it is imported, which slows every start; import it where it is used")

    @check
    async def test_keeps_to_the_public_door(self) -> None:
        """Nothing of the gateway is imported but what plugins are promised."""
        for file in _sources(self.subject.places[0]):
            for line, module in _imports(file):
                if module.partition(".")[2].partition(".")[0] in _PRIVATE:
                    fail(f"imports '{module}' ({file.name}:{line}), which may change with any release")

    @check
    async def test_settings_hide_their_secrets(self) -> None:
        """What opens something is a `SecretStr`, so that no repr and no error shows it."""
        cls = getattr(self.subject.module, "Settings", None)
        if cls is None:
            skip("it has no `Settings`")
        for name, field in _fields(cls):
            if field.annotation in (str, str | None, bytes, bytes | None):
                fail(f"its setting '{name}' looks like a secret and is plain text: make it a `SecretStr`")
        evidence = Evidence()
        secrets = {name: evidence.canary for name, field in _fields(cls) if "Secret" in repr(field.annotation)}
        if not secrets:
            return
        try:
            evidence.note("the repr of its settings", cls(**{**self.subject.section, **secrets}))
        except ValueError as error:
            evidence.note("the error of its settings", error)
        if where := evidence.found():
            fail(f"leaks a secret setting: {where} shows it; set `hide_input_in_errors=True` and use `SecretStr`")

    @check
    async def test_runs_in_a_whole_gateway(self) -> None:
        """The gateway starts with it, is ready, stops, and nothing of it goes on."""
        # Here and not above: a second of imports that no other check needs.
        from gateway.app import Application

        subject = self.subject
        before = set(threading.enumerate())
        with tempfile.TemporaryDirectory() as folder:
            section = {**subject.section, "enabled": True}
            files = (subject.file,) if subject.file else ()
            settings = Settings(data_dir=Path(folder), plugins={subject.name: section}, plugin_files=files)
            try:
                application = Application(settings)
                async with application.running():
                    if not await application.ready():
                        fail("the gateway is not ready with it")
            except PluginLoadError as error:
                fail(f"the gateway does not start with it: {error}")
        left = {thread for thread in set(threading.enumerate()) - before if not thread.daemon and thread.is_alive()}
        if mine := [thread.name for thread in left if "asyncio" not in thread.name]:
            fail(f"leaves a thread behind when the gateway stops: {', '.join(mine)}")


def _door(bench: Bench, settings: Any) -> StandInGateway:
    return StandInGateway(settings, bench.egress, StandInSnapshot())


def _sources(place: Path) -> Iterator[Path]:
    return iter(sorted(place.rglob("*.py")) if place.is_dir() else [place])


def _imports(file: Path) -> Iterator[tuple[int, str]]:
    """Every module of the gateway that a file names, with its line."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names if alias.name.startswith("gateway."))
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            if node.module.startswith("gateway."):
                yield node.lineno, node.module
            elif node.module == "gateway":
                yield from ((node.lineno, f"gateway.{alias.name}") for alias in node.names)


def _fields(cls: type[BaseModel]) -> Iterator[tuple[str, Any]]:
    """The settings that look like secrets, or are."""
    for name, field in cls.model_fields.items():
        if _SECRET.search(name) or field.annotation in (SecretStr, SecretBytes, SecretStr | None):
            yield name, field
