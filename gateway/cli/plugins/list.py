"""`gateway plugins list`: which plugins there are and what became of each."""

from typing import TYPE_CHECKING, Any

import click

from gateway.cli.output import print_json, print_rows

if TYPE_CHECKING:
    from gateway.cli.context import Context
    from gateway.runtime import PluginEntry

_COLUMNS = ("name", "version", "origin", "api", "state", "hooks", "reason")


@click.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def list_plugins(context: "Context", as_json: bool) -> None:
    """List every plugin with its state.

    Their hooks are called as at the start of the server; a problem is what keeps it from starting. The rows stand in
    the order of registration; `gateway plugins order` tells in which order they are asked.
    """
    from gateway.cli.plugins.dry import dry_run

    plugins, _, problems = dry_run(context.settings())
    for problem in problems:
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
