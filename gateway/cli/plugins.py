"""`gateway plugins`: which plugins there are and what they do."""

from typing import TYPE_CHECKING, Any

import click

from gateway.cli.output import print_json, print_rows

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
    """List every plugin with its state.

    Installed ones and files, loaded or not, with the reason where one is not. The order is that of registration; hooks
    are asked in the opposite order.
    """
    from gateway.runtime import load_plugins

    plugins = load_plugins(context.settings())
    for problem in plugins.problems():
        click.echo(f"Problem: {problem}", err=True)
    for warning in plugins.warnings:
        click.echo(f"Warning: {warning}", err=True)
    rows = [_row(entry) for entry in plugins.entries]
    if as_json:
        print_json(rows)
    else:
        print_rows(_COLUMNS, [[row[name] or None for name in _COLUMNS] for row in rows], empty="There are no plugins.")


def _row(entry: "PluginEntry") -> dict[str, Any]:
    return {
        "name": entry.name,
        "version": entry.version,
        "origin": entry.distribution or entry.origin,
        "module": entry.origin,
        "api": entry.api,
        "state": entry.state.value,
        "hooks": entry.hooks,
        "reason": entry.reason,
    }
