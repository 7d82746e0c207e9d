"""`gateway plugins`: which plugins there are and what they do; one module for each command, imported when it is run."""

import rich_click as click

from gateway.cli.lazy import Lazy, LazyGroup

_COMMANDS = {
    "new": Lazy("gateway.cli.plugins.new:new", "Write a plugin to start from."),
    "list": Lazy("gateway.cli.plugins.list:list_plugins", "List every plugin, loaded or not, with the reason."),
    "order": Lazy("gateway.cli.plugins.order:order_plugins", "Print in which order plugins are asked, and why."),
    "config": Lazy("gateway.cli.plugins.config:config_plugin", "Print what a plugin is told, and by whom."),
}


@click.group(cls=LazyGroup, lazy=_COMMANDS, announced=False)
def group() -> None:
    """Tell which plugins there are and what they do."""
