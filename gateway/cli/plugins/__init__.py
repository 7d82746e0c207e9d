"""`gateway plugins`: which plugins there are and what they do; one module for each command, imported when it is run."""

import click

from gateway.cli.lazy import Lazy, LazyGroup

_COMMANDS = {
    "new": Lazy("gateway.cli.plugins.new:new", "Write a plugin to start from."),
    "check": Lazy("gateway.cli.plugins.check:check_plugin", "Show that a plugin keeps the contract."),
    "list": Lazy("gateway.cli.plugins.list:list_plugins", "List every plugin, loaded or not, with the reason."),
    "order": Lazy("gateway.cli.plugins.order:order_plugins", "Print in which order plugins are asked, and why."),
    "config": Lazy("gateway.cli.plugins.config:config_plugin", "Print what a plugin is told, and by whom."),
    "enable": Lazy("gateway.cli.plugins.switch:enable", "Serve with a plugin from now on."),
    "disable": Lazy("gateway.cli.plugins.switch:disable", "Serve without a plugin from now on."),
    "reload": Lazy("gateway.cli.plugins.switch:reload", "Let a running gateway read settings and plugins anew."),
    "rollback": Lazy("gateway.cli.plugins.switch:rollback", "Take back the last enable or disable."),
}


@click.group(cls=LazyGroup, lazy=_COMMANDS, announced=False)
def group() -> None:
    """Tell which plugins there are and what they do."""
