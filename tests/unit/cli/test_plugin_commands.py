"""Commands that plugins add, through the command line itself."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

GREET = """
import click
from gateway import hookimpl

@hookimpl
def register_commands(cli):
    @cli.command()
    @click.option("--name", default="you")
    def {command}(name):
        click.echo(f"hello {{name}}")
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder to work in, with an installed distribution beside it and a single file in it."""
    info = tmp_path / "site/gateway_acme-1.2.dist-info"
    info.mkdir(parents=True)
    (tmp_path / "site/acme_commands.py").write_text(GREET.format(command="greet"))
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: gateway-acme\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text(
        "[litestar_gateway.plugins]\nacme = acme_commands\n[litestar_gateway.commands]\ngreet = acme_commands\n"
    )
    (tmp_path / "work").mkdir()
    (tmp_path / "work/mine.py").write_text(GREET.format(command="salute"))
    (tmp_path / "work/gateway.toml").write_text('plugin_files = ["mine.py"]\n[plugins.acme]\nenabled = true\n')
    return tmp_path / "work"


def gateway(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    site = str(folder.parent / "site")
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": site, "GATEWAY_DATA_DIR": str(folder / "data")}
    command = [sys.executable, "-m", "gateway", *arguments]
    return subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, timeout=60)


def test_a_distributions_command_is_listed_and_runs(folder: Path) -> None:
    assert "greet" in gateway(folder, "--help").stdout
    assert gateway(folder, "greet", "--name", "them").stdout == "hello them\n"


def test_the_settings_file_of_the_command_line_counts_for_it(folder: Path) -> None:
    (folder / "off.toml").write_text("[plugins.acme]\nenabled = false\n")
    done = gateway(folder, "--config", "off.toml", "greet")
    assert (done.returncode, done.stdout) == (1, "")
    assert "the command 'greet' is of plugin 'acme' (gateway-acme), which is not active: turned off" in done.stderr


def test_a_single_files_command_runs_when_the_settings_name_the_file(folder: Path) -> None:
    assert gateway(folder, "salute").stdout == "hello you\n"
    (folder / "gateway.toml").write_text("")
    done = gateway(folder, "salute")
    assert (done.returncode, "No such command 'salute'" in done.stderr) == (2, True)


def test_a_mistyped_command_is_told_whatever_the_files_and_the_settings_are(folder: Path) -> None:
    (folder / "mine.py").write_text("1 / 0")
    assert "No such command 'srve'. Did you mean 'serve'?" in gateway(folder, "srve").stderr
    (folder / "gateway.toml").write_text("port = 'x'\n")
    assert "No such command 'srve'. Did you mean 'serve'?" in gateway(folder, "srve").stderr


def test_an_installed_plugin_is_checked_by_its_name(folder: Path) -> None:
    done = gateway(folder, "plugins", "check", "acme", "--json", "--only", "cleanly")
    told = json.loads(done.stdout)
    assert (done.returncode, told["passed"], told["plugin"]) == (0, True, "acme")
    assert {row["check"] for row in told["checks"] if row["status"] == "passed"} == {"imports cleanly"}
    (folder.parent / "site/acme_commands.py").write_text("print('ready')\n")
    done = gateway(folder, "plugins", "check", "acme", "--only", "imports cleanly")
    assert (done.returncode, "prints when it is imported: 'ready'" in done.stdout) == (1, True)
