"""Plugins that keep the contract pass; what they do not claim is skipped with a reason."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from gateway.cli import main
from gateway.testing.conformance import UsageSinkConformance
from gateway.testing.conformance.run import run

RIGHT = Path(__file__).parent / "right"


@pytest.mark.parametrize("plugin", sorted(RIGHT.glob("*.py")), ids=lambda path: path.stem)
def test_a_right_plugin_passes(plugin: Path) -> None:
    results = list(run(str(plugin), {}))
    assert {result.kind for result in results} > {"plugin"}
    assert [result for result in results if result.status == "failed"] == []
    assert all(result.message for result in results if result.status == "skipped")


class TestCountedOnce(UsageSinkConformance):
    plugin = str(RIGHT / "counting.py")

    async def stored(self, sink: Any) -> list[str]:
        return list(sink.seen)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GATEWAY_DATA_DIR", str(tmp_path))
    return tmp_path


def check(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["plugins", "check", *arguments])


def test_the_settings_check_themselves_with_the_operators_own_values(folder: Path) -> None:
    plugin = str(RIGHT / "counting.py")
    refused = check(plugin, "--only", "settings check")
    assert refused.exit_code == 1
    assert "ValueError: token is not set" in refused.stdout
    (folder / "gateway.toml").write_text('plugin_files = ["counting.py"]\n[plugins.counting]\ntoken = "set"\n')
    assert check(plugin, "--only", "settings check").exit_code == 0


def test_only_the_checks_whose_name_holds_the_text_are_made(folder: Path) -> None:
    told = json.loads(check("keys", "--json", "--only", "imports cleanly").stdout)
    assert [row["check"] for row in told["checks"]] == ["imports cleanly"]


def test_a_text_that_no_check_holds_is_told_and_is_no_success(folder: Path) -> None:
    missed = check("keys", "--only", "zzz")
    assert (missed.exit_code, missed.stdout) == (2, "")
    assert "no check of 'keys' has 'zzz' in its name" in missed.stderr
    assert "`gateway plugins check keys` lists them" in missed.stderr
    missed = check("keys", "--only", "zzz", "--json")
    assert (missed.exit_code, json.loads(missed.stdout)["passed"]) == (2, False)


def test_json_holds_every_check_with_its_reason(folder: Path) -> None:
    told = json.loads(check("keys", "--json", "--only", "settings").stdout)
    assert told["passed"] is True
    assert next(row["message"] for row in told["checks"] if row["status"] == "skipped") == "it has no `Settings`"


@pytest.mark.parametrize(
    ("argument", "sentence"),
    [
        ("./nothing.py", "there is no file ./nothing.py"),
        ("nobody", "'nobody' is neither a file nor an installed plugin; installed are: anthropic, "),
        ("empty", "empty has no pyproject.toml with an entry point of the group litestar_gateway.plugins"),
        ("project", "the plugin 'acme' of project is not installed: pip install -e project"),
    ],
)
def test_what_cannot_be_checked_is_told_with_what_to_do(folder: Path, argument: str, sentence: str) -> None:
    (folder / "empty").mkdir()
    (folder / "project").mkdir()
    points = '[project.entry-points."litestar_gateway.plugins"]\nacme = "gateway_acme"\n'
    (folder / "project" / "pyproject.toml").write_text(points)
    result = check(argument)
    assert result.exit_code == 2
    assert sentence in result.stderr


def test_a_plugin_that_cannot_be_loaded_is_told_with_the_loaders_reason(folder: Path) -> None:
    (folder / "broken.py").write_text("import nothing_of_that_name\n")
    result = check("broken.py")
    assert result.exit_code == 1
    assert "it cannot be loaded: it needs the module 'nothing_of_that_name', which is not installed" in result.stdout


def test_a_declaration_that_says_nonsense_is_told(folder: Path) -> None:
    (folder / "odd.py").write_text('CONFORMANCE = {"capabilites": ["tools"]}\n')
    result = check("odd.py", "--only", "loads")
    assert result.exit_code == 1
    assert "its CONFORMANCE cannot be understood: Object contains unknown field `capabilites`" in result.stdout
