"""Commands that plugins add: named from metadata, imported only when one of them is asked for.

A distribution announces a command by an entry point of group `litestar_gateway.commands`: its name is the command's,
its value the module of the plugin whose `register_commands` hook adds it.
"""

from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from gateway.runtime.discovery import GROUP
from gateway.runtime.loader import load_plugins
from gateway.runtime.plugins import PluginLoadError, Plugins, State
from gateway.settings import Settings

if TYPE_CHECKING:
    import click

COMMANDS = "litestar_gateway.commands"


def plugin_commands() -> dict[str, str]:
    """Every announced command with the short name of its plugin; nothing is imported."""
    plugins = {point.value: point.name for point in entry_points(group=GROUP)}
    announced = sorted(entry_points(group=COMMANDS), key=lambda point: point.name)
    return {point.name: plugins[point.value] for point in announced if point.value in plugins}


def register_commands(cli: "click.Group", command: str, settings: Settings) -> None:
    """Load the plugin that announced `command` and let it add its commands to `cli`.

    Raises `PluginLoadError` when it is not announced, disabled, or cannot be loaded.
    """
    name = plugin_commands().get(command)
    if name is None:
        raise PluginLoadError(f"no plugin announces the command '{command}'")
    plugins = load_plugins(settings, only=name)
    for entry in plugins.entries:
        if entry.state is not State.ACTIVE:
            raise PluginLoadError(f"the command '{command}' is of {entry.title}, which is not active: {entry.reason}")
    _add(cli, plugins)
    if command not in cli.commands:
        raise PluginLoadError(f"{plugins.entries[0].title}: it announces the command '{command}' and does not add it")


def register_file_commands(cli: "click.Group", settings: Settings) -> None:
    """Let the single files of the settings add their commands: they have no metadata to announce them by.

    Files that cannot be loaded add none; raises `PluginLoadError` when the hook of one fails.
    """
    for name in dict.fromkeys(file.stem for file in settings.plugin_files):
        plugins = load_plugins(settings, only=name)
        if all(entry.state is State.ACTIVE for entry in plugins.entries):
            _add(cli, plugins)


def _add(cli: "click.Group", plugins: Plugins) -> None:
    try:
        plugins.manager.hook.register_commands(cli=cli)
    except (Exception, SystemExit) as error:  # the border: a plugin's code may raise anything
        raise PluginLoadError(
            f"{plugins.entries[0].title}: its hook 'register_commands' failed: {type(error).__name__}: {error}"
        ) from error
