"""`gateway plugins order`: in which order the plugins are asked, and why."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.output import print_json, print_rows

if TYPE_CHECKING:
    from gateway.cli.context import Context
    from gateway.runtime.order import Place


_COLUMNS = ("stage", "down", "up", "plugin", "why")
_UP = ("limiters", "stream_transforms")
"""Stages that do something on an answer's way up, in the reverse order; those of the last nothing else."""


@click.command("order")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def order_plugins(context: "Context", as_json: bool) -> None:
    """Print each stage's plugins in the order they are asked, and why each stands there.

    Requests go down, answers come back up: the first of a stage is the nearest to the client. So the steps of stream
    transforms and the settlement of limiters run in the reverse order, which stands under `up`.

    operator = the settings' list for that stage; before or after = what the plugin asks for; inside = its request
    transform comes after that plugin's; registration = none of these: others before the gateway's own, and the last
    registered first.
    """
    from gateway.cli.plugins.dry import dry_run

    run = dry_run(context.settings())
    if run.generation is None:
        raise run.plugins.refusal(run.problems)
    told = {stage: _told(stage, places) for stage, places in run.generation.order.items() if places}
    if as_json:
        print_json(told)
        return
    rows = [[stage, *map(one.get, _COLUMNS[1:])] for stage, places in told.items() for one in places]
    print_rows(_COLUMNS, rows, empty="No plugin registers anything.")


def _told(stage: str, places: "Sequence[Place]") -> list[dict[str, Any]]:
    """Each plugin with its place on the way down and on the way up; None where the stage does nothing on that way."""
    return [
        {
            "plugin": place.plugin,
            "why": place.why,
            "down": None if stage == "stream_transforms" else number,
            "up": len(places) + 1 - number if stage in _UP else None,
        }
        for number, place in enumerate(places, start=1)
    ]
