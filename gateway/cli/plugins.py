"""`gateway plugins`: which plugins there are and what they do."""

from typing import TYPE_CHECKING, Any

import rich_click as click

from gateway.cli.listing import show_list

if TYPE_CHECKING:
    from gateway.cli.context import Context
    from gateway.runtime import PluginEntry

_COLUMNS = ("name", "version", "origin", "api", "state", "hooks", "reason")


@click.group()
def group() -> None:
    """Tell which plugins there are and what they do."""


@group.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def list_plugins(context: "Context", as_json: bool) -> None:
    """List every plugin: installed ones and files, loaded or not, with the reason.

    The order is that of registration; hooks are asked in the opposite order.
    """
    from gateway.runtime import load_plugins

    plugins = load_plugins(context.settings())
    for problem in plugins.problems():
        click.echo(f"Problem: {problem}", err=True)
    for warning in plugins.warnings:
        click.echo(f"Warning: {warning}", err=True)
    show_list([_row(entry) for entry in plugins.entries], _COLUMNS, as_json=as_json)


def _row(entry: "PluginEntry") -> dict[str, Any]:
    return {
        "name": entry.name,
        "version": entry.version,
        "origin": entry.distribution or entry.origin,
        "module": entry.origin,
        "api": entry.api,
        "state": entry.state.value,
        "hooks": list(entry.hooks),
        "reason": entry.reason,
    }
