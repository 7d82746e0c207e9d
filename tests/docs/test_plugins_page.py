"""What docs/plugins.md tells a newcomer to type works, in that order, and its code is the scaffold's."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.runtime import load_plugins
from gateway.settings import Settings

PAGE = (Path(__file__).parents[2] / "docs/plugins.md").read_text("utf-8")
SERVES = "gateway serve"
INSTALL = "--no-index --no-deps --no-build-isolation --disable-pip-version-check --quiet --target site"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.M | re.S)


def typed(line: str) -> list[str]:
    """The command as a test runs it: offline, and installing beside and not into this environment."""
    words = line.split()
    if words[:3] == ["pip", "install", "-e"]:
        return ["pip", "install", *INSTALL.split(), f"./{words[3]}"]
    if words[:3] == ["python", "-m", "build"]:
        return ["build", "--no-isolation", *words[3:]]
    return words


def squeezed(text: str) -> str:
    return "".join(text.split())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a newcomer has typed all commands of the page that end by themselves."""
    made = tmp_path_factory.mktemp("newcomer")
    clean = {name: value for name, value in os.environ.items() if not name.startswith("GATEWAY_")}
    environ = {**clean, "PYTHONPATH": str(made / "site"), "GATEWAY_DATA_DIR": str(made / "data")}
    for line in "".join(blocks("sh")).splitlines():
        if line.startswith(SERVES):
            continue
        if line.startswith("gateway plugins config"):
            (made / "gateway.toml").write_text(blocks("toml")[0])
        command = [sys.executable, "-m", *typed(line)]
        done = subprocess.run(command, cwd=made, env=environ, capture_output=True, text=True, timeout=110)
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        (made / f"{re.sub('[^a-z]+', '-', line)}.txt").write_text(done.stdout)
    return made


@pytest.mark.timeout(300)
def test_every_command_of_the_page_works(folder):
    assert (folder / "acme/dist/gateway_acme-0.1.0-py3-none-any.whl").is_file()
    assert "/v2/generate" in (folder / "gateway-plugins-config-acme.txt").read_text()
    assert re.search(r"^acme .* active ", (folder / "gateway-plugins-list.txt").read_text(), re.M)


def test_the_code_and_metadata_it_shows_are_the_scaffolds(folder):
    written = "".join(path.read_text() for path in (folder / "acme").rglob("*") if path.suffix in (".py", ".toml"))
    shown = [block for block in blocks("python") if "import" not in block]
    assert len(shown) == 2
    # Lines are broken elsewhere in each: a page is wider than a scaffold.
    assert [block for block in (*shown, blocks("toml")[1]) if squeezed(block) not in squeezed(written)] == []


def test_the_files_it_names_are_the_scaffolds(folder):
    named = re.findall(r"^\| `([^`]+)` \|", PAGE, re.M)
    assert named
    assert [name for name in named if not (folder / "acme" / name).is_file()] == []


def test_the_provider_that_is_only_data_loads(tmp_path):
    (source,) = (block for block in blocks("python") if "ChatProvider" in block)
    ast.parse(source)
    file = tmp_path / "acme.py"
    file.write_text(source)
    plugins = load_plugins(Settings(data_dir=tmp_path), files=[file], only="acme")
    assert plugins.problems() == ()
    assert [entry.name for entry in plugins.active] == ["acme"]


def test_it_names_every_kind():
    from gateway.cli.plugins.new import _KINDS

    assert [kind for kind in _KINDS if f"`{kind}`" not in PAGE] == []


def test_no_page_has_a_file_saved_under_the_name_of_the_plugin_that_this_one_installs():
    installed = re.findall(r"^gateway plugins new (\w+) --kind \w+$", PAGE, re.M)
    assert installed == ["acme"]
    for page in ("README.md", *(f"docs/{name}.md" for name in ("hooks", "testing-plugins"))):
        text = (Path(__file__).parents[2] / page).read_text("utf-8")
        saved = re.findall(r"(?:<!-- file: |[Ss]ave it as `|--plugin\S* \"?(?:\./)?)(\w+)\.py", text)
        assert saved, page
        assert set(saved) & set(installed) == set(), page
