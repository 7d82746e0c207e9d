"""`gateway plugins new`: what it writes, and what it refuses to."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gateway.cli import main


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def new(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["plugins", "new", *arguments])


def files(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_a_package_has_metadata_hooks_work_settings_and_tests(folder: Path) -> None:
    result = new("acme", "--kind", "lookup")
    assert result.exit_code == 0, result.output
    assert files(folder) == [
        "acme/README.md",
        "acme/gateway_acme/__init__.py",
        "acme/gateway_acme/conformance.py",
        "acme/gateway_acme/lookup.py",
        "acme/gateway_acme/py.typed",
        "acme/gateway_acme/settings.py",
        "acme/pyproject.toml",
        "acme/tests/test_acme.py",
    ]
    assert [path for path in files(folder) if path.removeprefix("acme/") not in result.stdout] == []


def test_the_next_commands_are_told(folder: Path) -> None:
    told = new("acme", "--kind", "lookup").stdout.partition("Next:\n")[2]
    assert [line.strip() for line in told.splitlines()] == [
        "pip install -e acme",
        "gateway plugins check acme",
        "pytest acme",
        "GATEWAY_PLUGINS__ACME__ENABLED=true gateway serve",
    ]


def test_a_single_file_is_one_file_named_with_its_place(folder: Path) -> None:
    result = new("acme", "--kind", "lookup", "--single-file")
    assert result.exit_code == 0
    assert files(folder) == ["acme.py"]
    assert "gateway serve --plugin ./acme.py" in result.stdout


def test_another_directory_is_written_to_and_told(folder: Path) -> None:
    (folder / "my plugins").mkdir()
    result = new("acme", "--kind", "sink", "--directory", "my plugins")
    assert (folder / "my plugins/acme/gateway_acme/sink.py").is_file()
    assert "pip install -e 'my plugins/acme'" in result.stdout


@pytest.mark.parametrize(
    ("given", "short"), [("acme", "acme"), ("My-Acme", "my_acme"), ("gateway-acme2", "acme2"), ("none", "none")]
)
def test_a_name_is_written_as_settings_write_it(folder: Path, given: str, short: str) -> None:
    result = new(given, "--kind", "lookup")
    assert result.exit_code == 0
    assert (f"'{given}' is called '{short}' in settings and commands" in result.stderr) is (given != short)
    metadata = (folder / short / "pyproject.toml").read_text()
    assert f'{short} = "gateway_{short}"' in metadata
    assert f'name = "gateway-{short.replace("_", "-")}"' in metadata


@pytest.mark.parametrize(
    "name", ["", "2fast", "a b", "../acme", "acme/", "é", "_acme", "acme-", "gateway-", "a__b", "a--b"]
)
def test_what_cannot_be_a_name_is_refused_and_nothing_is_written(folder: Path, name: str) -> None:
    result = new(name, "--kind", "lookup")
    assert result.exit_code == 2
    assert "cannot be a plugin's name: write letters, digits and single dashes or underscores" in result.stderr
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("name", ["openai", "gateway-openai", "Chatbot-UI"])
def test_the_name_of_an_installed_plugin_is_refused(folder: Path, name: str) -> None:
    result = new(name, "--kind", "lookup")
    assert result.exit_code == 2
    assert "is already there, of 'litestar-gateway'" in result.stderr
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("options", [(), ("--single-file",)])
def test_nothing_that_exists_is_overwritten(folder: Path, options: tuple[str, ...]) -> None:
    (folder / "acme").mkdir()
    (folder / "acme.py").write_text("mine")
    result = new("acme", "--kind", "lookup", *options)
    assert result.exit_code == 1
    assert "is already there; nothing was written" in result.stderr
    assert files(folder) == ["acme.py"]
    assert (folder / "acme.py").read_text() == "mine"


def test_the_kind_has_to_be_said_and_known(folder: Path) -> None:
    assert "Missing option" in new("acme").stderr
    assert "'lookup'" in new("acme", "--kind", "magic").stderr
