"""`gateway usage`: what was consumed."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.keys import Duration
from gateway.cli.opened import work
from gateway.cli.output import print_json, print_rows

if TYPE_CHECKING:
    from gateway.registry import Database
    from gateway.registry.usage import Group, Sum

_GROUPS = ("model", "provider", "route", "key", "owner", "outcome", "day")


@click.group(name="usage")
def group() -> None:
    """Sum up what was consumed, and delete what is old."""


@group.command("sum")
@click.option("--by", type=click.Choice(_GROUPS), default="model", show_default=True, help="What to sum up by.")
@click.option("--last", type=Duration(), help="Only of attempts that began in this time: 90s, 15m, 12h, 30d, 2w.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def sum_(by: "Group", last: timedelta | None, as_json: bool) -> None:
    """Sum up attempts, tokens and cost.

    Every attempt counts, failed ones and those whose client left among them. The cost is in US dollars, of attempts
    whose cost is known; UNPRICED are those with tokens and no price, UNCOUNTED those whose tokens nobody told.
    """
    from gateway.registry import UsageStore

    async def run(database: "Database") -> "list[Sum]":
        return await UsageStore(database).sums(by, since=datetime.now(UTC) - last if last else None)

    sums = work(run)
    if as_json:
        print_json([_shown(by, one) for one in sums])
        return
    rows = [
        (
            one.group if one.group is not None else "(operator)",
            one.attempts,
            one.input_tokens,
            one.output_tokens,
            f"{one.cost:.4f}",
            one.unpriced,
            one.uncounted,
        )
        for one in sums
    ]
    columns = (by.upper(), "ATTEMPTS", "INPUT", "OUTPUT", "COST", "UNPRICED", "UNCOUNTED")
    print_rows(columns, rows, empty="Nothing was consumed.")


@group.command()
@click.option("--older-than", type=Duration(), required=True, help="The age from which on rows go: 90d, 52w.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def prune(older_than: timedelta, as_json: bool) -> None:
    """Delete usage of attempts that began before a time.

    Sums over that time are gone with it.
    """
    from gateway.registry import UsageStore

    async def run(database: "Database") -> int:
        return await UsageStore(database).prune(datetime.now(UTC) - older_than)

    deleted = work(run)
    if as_json:
        print_json({"deleted": deleted})
        return
    click.echo(f"Deleted {deleted} rows.", err=True)


def _shown(by: str, one: "Sum") -> dict[str, Any]:
    import msgspec

    shown: dict[str, Any] = msgspec.to_builtins(one)
    return {by: shown.pop("group"), **shown}
