"""The root of the command line: quick, and never a traceback."""

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from gateway.cli import main

_HEAVY = ("litestar", "sqlalchemy", "openai", "pydantic", "httpx2", "uvicorn", "alembic")
_RUN = """
import sys
from gateway.cli import main
try:
    main(["--help"])
except SystemExit as end:
    assert end.code == 0
print("IMPORTED", *sys.modules)
"""


def test_help_imports_nothing_heavy() -> None:
    done = subprocess.run([sys.executable, "-c", _RUN], capture_output=True, text=True, timeout=60, check=True)
    imported = done.stdout.rpartition("IMPORTED")[2].split()
    assert [name for name in imported if name.partition(".")[0] in _HEAVY] == []


def test_help_lists_every_command_and_the_exit_codes() -> None:
    shown = CliRunner().invoke(main, ["--help"]).output
    for word in ("serve", "models", "keys", "db", "plugins", "Exit codes"):
        assert word in shown


def test_an_unknown_command_is_a_usage_error() -> None:
    ended = CliRunner().invoke(main, ["srve"])
    assert ended.exit_code == 2
    assert "srve" in ended.output


def test_wrong_settings_are_all_told_at_once_and_end_with_2(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "gateway.toml"
    config.write_text("port = 'x'\nbody_limitt = 3\n")
    monkeypatch.setenv("GATEWAY_DATA_DIR", str(tmp_path / "data"))
    ended = CliRunner().invoke(main, ["--config", str(config), "plugins", "list"])
    assert ended.exit_code == 2
    assert "port" in ended.output
    assert "body_limitt" in ended.output
    assert "Traceback" not in ended.output


def test_a_settings_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    ended = CliRunner().invoke(main, ["--config", str(tmp_path / "none.toml"), "plugins", "list"])
    assert ended.exit_code == 2
    assert "none.toml" in ended.output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["mdels"], "Error: No such command 'mdels'. Did you mean 'models'? See `gateway --help`.\n"),
        (["--nosuch"], "Error: No such option '--nosuch'. See `gateway --help`.\n"),
        (["models", "add"], "Error: Missing argument 'NAME'. See `gateway models add --help`.\n"),
        (["serve", "extra"], "Error: Got unexpected extra argument (extra). See `gateway serve --help`.\n"),
    ],
)
def test_wrong_arguments_are_told_in_one_line_with_the_help_to_read(arguments: list[str], said: str) -> None:
    ended = CliRunner().invoke(main, arguments, prog_name="gateway")
    assert (ended.stderr, ended.exit_code) == (said, 2)


def test_a_group_alone_shows_its_help() -> None:
    ended = CliRunner().invoke(main, ["db"], prog_name="gateway")
    assert ended.exit_code == 2
    assert ended.output.startswith("Usage: gateway db")
