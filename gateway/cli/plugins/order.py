"""`gateway plugins order`: in which order the plugins are asked, and why."""

from typing import TYPE_CHECKING

import click

from gateway.cli.endings import Failed
from gateway.cli.output import print_json, print_rows

if TYPE_CHECKING:
    from gateway.cli.context import Context


@click.command("order")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_obj
def order_plugins(context: "Context", as_json: bool) -> None:
    """Print each stage's plugins in the order they are asked, and why each stands there.

    operator = the settings' list for that stage; before or after = what the plugin asks for; registration = none of
    these: others before the gateway's own, and the last registered first.
    """
    from gateway.cli.plugins.dry import dry_run

    run = dry_run(context.settings())
    if run.generation is None:
        raise Failed("\n".join(run.problems))
    order = {stage: places for stage, places in run.generation.order.items() if places}
    if as_json:
        print_json({stage: [{"plugin": p.plugin, "why": p.why} for p in places] for stage, places in order.items()})
        return
    rows = [
        [stage, number, place.plugin, place.why]
        for stage, places in order.items()
        for number, place in enumerate(places, 1)
    ]
    print_rows(("stage", "place", "plugin", "why"), rows, empty="No plugin registers anything.")
