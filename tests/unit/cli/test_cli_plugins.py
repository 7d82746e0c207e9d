"""`gateway plugins list` through the command line itself."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from gateway.cli import main

BROKEN = "raise SystemExit"
FINE = "from gateway import hookimpl\n\n\n@hookimpl\ndef register_providers(gateway):\n    return []\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fine.py").write_text(FINE)
    (tmp_path / "broken.py").write_text(BROKEN)
    (tmp_path / "gateway.toml").write_text(
        'plugin_files = ["fine.py", "broken.py"]\n[plugins.supabase]\nenabled = false\n'
    )
    return tmp_path


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["plugins", "list", *arguments])


def test_json_tells_state_hooks_and_reason_of_every_plugin(folder: Path) -> None:
    result = run("--json")
    assert result.exit_code == 0
    rows = {row["name"]: row for row in json.loads(result.stdout)}
    plugins = Path(__file__).parents[3] / "plugins"
    ours = {path.name.removeprefix("gateway_") for path in plugins.glob("gateway_*")}
    assert {*ours, "fine", "broken"} == rows.keys()
    assert rows["supabase"]["state"] == "disabled"
    assert rows["supabase"]["origin"] == "litestar-gateway"
    assert (rows["fine"]["state"], rows["fine"]["hooks"]) == ("active", ["register_providers"])
    assert rows["broken"]["state"] == "failed"
    assert rows["fine"]["order"] == {}, "one that keeps the server from starting leaves no order"
    assert rows["broken"]["reason"] == "its code ends the process when it is imported (SystemExit)"


def test_the_command_line_starts_though_a_plugin_cannot_be_loaded(folder: Path) -> None:
    result = run()
    assert result.exit_code == 0
    assert f"Problem: plugin 'broken' ({folder / 'broken.py'}): its code ends the process" in result.stderr
    assert "Traceback" not in result.output


def test_a_pipe_gets_one_line_for_each_plugin(folder: Path) -> None:
    lines = run().stdout.splitlines()
    assert lines[0].split() == ["name", "version", "origin", "api", "state", "hooks", "reason"]
    assert [line.split()[0] for line in lines[1:]][-2:] == ["fine", "broken"]
    assert len(lines) == 1 + len(json.loads(run("--json").stdout))


def test_json_tells_each_plugins_place_in_its_stages(folder: Path) -> None:
    (folder / "broken.py").write_text(
        FINE.replace("register_providers", "register_error_mappers").replace("[]", "[M()]")
    )
    with (folder / "broken.py").open("a") as file:
        file.write("\n\nclass M:\n    def map(self, error, attempt): ...\n")
    rows = {row["name"]: row for row in json.loads(run("--json").stdout)}
    assert rows["broken"]["order"] == {"error_mappers": 1}
    assert rows["openai"]["order"] == {"error_mappers": 2}
    assert rows["fine"]["order"] == {}
