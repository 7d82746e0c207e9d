"""`gateway plugins list`: which plugins there are and what became of each."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.address import NotRunning
from gateway.cli.endings import Failed
from gateway.cli.output import print_json, print_rows
from gateway.cli.plugins.remote import Remote, remote_options

if TYPE_CHECKING:
    from gateway.cli.context import Context
    from gateway.runtime import PluginEntry
    from gateway.runtime.order import Place

_COLUMNS = ("name", "version", "origin", "api", "state", "hooks", "reason")


@click.command("list")
@click.option("--running", is_flag=True, help="Ask the running gateway; --url and --key-file do, too.")
@remote_options
@click.pass_obj
def list_plugins(context: "Context", *, running: bool, url: str | None, key_file: Path | None, as_json: bool) -> None:
    """List every plugin with its state.

    Their hooks are called as at the start of the server; a problem is what keeps it from starting. The rows stand in
    the order of registration; `gateway plugins order` tells in which order they are asked. A running gateway knows
    besides what failed while it served: a plugin that keeps failing is left out of a stage for a minute (quarantined).
    """
    if running or url or key_file:
        try:
            document = Remote(context.settings(), url, key_file).get("/admin/plugins")
        except NotRunning as error:
            raise Failed(str(error)) from error
        rows = [_running_row(plugin) for plugin in document["plugins"]]
    else:
        rows = _local_rows(context)
    if as_json:
        print_json(rows)
    else:
        columns = tuple(rows[0]) if rows else _COLUMNS
        shown = [name for name in columns if name not in ("module", "order")]
        print_rows(shown, [[row[name] or None for name in shown] for row in rows], empty="There are no plugins.")


def _local_rows(context: "Context") -> list[dict[str, Any]]:
    from gateway.cli.plugins.dry import dry_run

    plugins, generation, problems = dry_run(context.settings())
    order = generation.order if generation is not None else {}
    for problem in problems:
        click.echo(f"Problem: {problem}", err=True)
    for warning in plugins.warnings:
        click.echo(f"Warning: {warning}", err=True)
    return [_row(entry) | {"order": _places(order, entry.name)} for entry in plugins.entries]


def _places(order: "Mapping[str, Sequence[Place]]", name: str) -> dict[str, int]:
    """The plugin's place in every stage it stands in, the first being 1."""
    return {
        stage: number
        for stage, places in order.items()
        for number, place in enumerate(places, start=1)
        if place.plugin == name
    }


def _running_row(plugin: dict[str, Any]) -> dict[str, Any]:
    quarantined = tuple(plugin["quarantined"])
    return {
        "name": plugin["name"],
        "version": plugin["version"],
        "origin": plugin["distribution"] or plugin["origin"],
        "module": plugin["origin"],
        "api": plugin["api"],
        "state": "quarantined" if quarantined else plugin["state"],
        "hooks": tuple(plugin["hooks"]),
        "failures": plugin["failures"],
        "quarantined": quarantined,
        "reason": plugin["reason"] or (f"it keeps failing in {', '.join(quarantined)}" if quarantined else ""),
    }


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
