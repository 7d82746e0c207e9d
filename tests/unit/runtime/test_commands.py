"""Plugin commands are named from metadata; their plugin is imported only when one is asked for."""

import sys
from pathlib import Path

import click
import pytest
from plugin_entries import Install

from gateway.runtime import PluginLoadError
from gateway.runtime.commands import plugin_commands, register_commands
from gateway.settings import Settings

GREET = """
import click
from gateway import hookimpl

@hookimpl
def register_commands(cli):
    @cli.command()
    def greet():
        click.echo("hello")
"""
ENABLED = {"acme": {"enabled": True}}


def settings(tmp_path: Path, plugins: dict[str, dict[str, object]]) -> Settings:
    return Settings(data_dir=tmp_path, plugins=plugins)


def test_commands_are_named_without_importing_their_plugin(install: Install) -> None:
    install("raise SystemExit", commands=("greet",))
    assert plugin_commands() == {"greet": "acme"}
    assert "acme_plugin_acme" not in sys.modules


def test_a_command_is_added_when_it_is_asked_for(install: Install, tmp_path: Path) -> None:
    install(GREET, commands=("greet",))
    install("raise SystemExit", name="other")
    cli = click.Group()
    register_commands(cli, "greet", settings(tmp_path, ENABLED | {"other": {"enabled": True}}))
    assert list(cli.commands) == ["greet"]
    assert "acme_plugin_other" not in sys.modules


@pytest.mark.parametrize(
    ("code", "plugins", "sentence"),
    [
        (
            GREET,
            {},
            "the command 'greet' is of plugin 'acme' (gateway-acme), which is not active: installed, not enabled",
        ),
        ("raise SystemExit", ENABLED, "which is not active: its code ends the process"),
        ("from gateway import hookimpl", ENABLED, "it announces the command 'greet' and does not add it"),
        (GREET + "    1 / 0\n", ENABLED, "its hook 'register_commands' failed: ZeroDivisionError"),
    ],
)
def test_a_command_that_cannot_be_had_says_why(
    install: Install, tmp_path: Path, code: str, plugins: dict[str, dict[str, object]], sentence: str
) -> None:
    install(code, commands=("greet",))
    with pytest.raises(PluginLoadError) as caught:
        register_commands(click.Group(), "greet", settings(tmp_path, plugins))
    assert sentence in str(caught.value)


def test_an_unknown_command_is_told(tmp_path: Path) -> None:
    with pytest.raises(PluginLoadError, match="no plugin announces the command 'none'"):
        register_commands(click.Group(), "none", settings(tmp_path, {}))
