"""`gateway plugins enable|disable|rollback|reload` where no gateway runs: the next start is told."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gateway.cli import main

FINE = "from gateway import hookimpl\n\n\n@hookimpl\ndef register_providers():\n    return []\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GATEWAY_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("GATEWAY_PORT", "1")
    (tmp_path / "fine.py").write_text(FINE)
    (tmp_path / "gateway.toml").write_text('plugin_files = ["fine.py"]\n[plugins.supabase]\nenabled = false\n')
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["plugins", *arguments])


def state(name: str) -> str:
    return {row["name"]: row["state"] for row in json.loads(run("list", "--json").stdout)}[name]


def test_a_switch_counts_for_the_next_start_and_can_be_taken_back(folder: Path) -> None:
    off = run("disable", "fine")
    assert (off.exit_code, off.output) == (
        0,
        "No gateway answers at http://127.0.0.1:1. 'fine' is off from the next start.\n",
    )
    assert state("fine") == "disabled"
    assert run("enable", "fine").exit_code == 0
    assert state("fine") == "active"
    assert run("rollback").exit_code == 0
    assert state("fine") == "disabled"


def test_json_tells_that_no_generation_serves(folder: Path) -> None:
    result = run("disable", "fine", "--json")
    assert json.loads(result.stdout) == {"generation": None, "switched": {"fine": False}, "workers": []}


def test_a_plugin_that_would_not_load_is_not_switched_on_and_can_be_switched_off(folder: Path) -> None:
    (folder / "fine.py").write_text("1 / 0")
    assert run("disable", "fine").exit_code == 0
    result = run("enable", "fine")
    assert result.exit_code == 1
    assert "ZeroDivisionError" in result.output
    assert state("fine") == "disabled"


def test_what_the_settings_file_manages_is_refused_by_name(folder: Path) -> None:
    result = run("enable", "supabase")
    assert result.exit_code == 1
    assert "gateway.toml: plugins.supabase.enabled" in result.output


def test_an_unknown_plugin_is_refused(folder: Path) -> None:
    result = run("enable", "fin")
    assert (result.exit_code, "did you mean 'fine'?" in result.output) == (1, True)


def test_there_is_nothing_to_reload_or_take_back(folder: Path) -> None:
    assert "nothing to reload" in run("reload").output
    assert "nothing to go back to" in run("rollback").output


@pytest.mark.parametrize("url", ["ftp://a", "nonsense", "http://", "http://a:99999"])
def test_a_wrong_address_is_refused(folder: Path, url: str) -> None:
    result = run("reload", "--url", url)
    assert result.exit_code == 2
    assert "--url" in result.output
