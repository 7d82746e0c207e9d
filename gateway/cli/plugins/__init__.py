"""`gateway plugins`: which plugins there are and what they do; one module for each command, imported when it is run."""

import rich_click as click

from gateway.cli.lazy import Lazy, LazyGroup

_COMMANDS = {
    "list": Lazy("gateway.cli.plugins.list:list_plugins", "List every plugin, loaded or not, with the reason."),
}


@click.group(cls=LazyGroup, lazy=_COMMANDS, announced=False)
def group() -> None:
    """Tell which plugins there are and what they do."""
