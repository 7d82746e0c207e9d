"""`gateway routes test`: one short call to each target, or whom a described request would get, and why."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.described import described_headers
from gateway.cli.endings import Failed, Wrong
from gateway.cli.opened import running, settings
from gateway.cli.output import print_json, print_rows

if TYPE_CHECKING:
    from gateway.app import Application
    from gateway.cli.model_test import Report
    from gateway.domain import Principal, Route
    from gateway.pipeline import Explanation, Question

_BYTES = 4
"""Of one token, as requests are estimated."""


@click.command()
@click.argument("route", metavar="ID_OR_NAME")
@click.option("--timeout", type=click.IntRange(1, 3600), default=60, show_default=True, help="Seconds for each answer.")
@click.option(
    "--dry-run", is_flag=True, help="Send nothing: tell which targets a request would get, and why not others."
)
@click.option("--tag", "tags", multiple=True, help="With --dry-run: a tag of the request; repeat it.")
@click.option("--header", "headers", metavar="NAME=VALUE", multiple=True, help="With --dry-run: a header of it.")
@click.option("--key", metavar="ID_OR_NAME", help="With --dry-run: whose it is.  [default: the route's owner]")
@click.option("--tokens", type=click.IntRange(1, 2_000_000), help="With --dry-run: about how long it is.")
@click.option("--max-tokens", type=click.IntRange(1), help="With --dry-run: how long its answer may be.")
@click.option("--json", "as_json", is_flag=True, help="Print what was found as JSON.")
def test(route: str, timeout: int, dry_run: bool, as_json: bool, **described: Any) -> None:
    """Call every target of one route, or with --dry-run none.

    Each call is that of `gateway models test`: short, and on the way of every call. Exit code 1 when a target would
    give clients no answers.

    A dry run is told by this command, which knows nothing of the upstreams' health; for a running gateway's view see
    `gateway explain`. Exit code 1 when the request would be refused.
    """
    if not dry_run and any(described.values()):
        raise Wrong("A request is described for --dry-run only: without it every target is called.")
    if dry_run:
        _tell(running(lambda: _explained(route, described)), as_json=as_json)
        return
    click.echo("This costs one short call at each target's upstream.", err=True)
    reports = running(lambda: _called(route, timeout))
    if as_json:
        print_json(reports)
    else:
        rows = [(report.name, report.id, "ok" if report.works else "failed", _finding(report)) for report in reports]
        print_rows(("TARGET", "ID", "RESULT", "FINDING"), rows, empty="")
    if not all(report.works for report in reports):
        raise Failed("Not every target answers as it should: `gateway models test` tells more of one.")


async def _called(name: str, timeout: int) -> "list[Report]":
    from gateway.app import Application
    from gateway.app.log import configure
    from gateway.cli.model_test import ask, report

    configure("critical")  # what goes wrong is told by the reports
    application = Application(settings())
    async with application.running():
        route = await _served(application, name)
        models = [model for model in route.targets if model.enabled]
        return [report(model, await ask(application.pipeline, model, timeout), timeout) for model in models]


async def _explained(name: str, described: Mapping[str, Any]) -> "Explanation":
    from gateway.app import Application
    from gateway.app.log import configure

    configure("critical")
    application = Application(settings())
    async with application.running():
        route = await _served(application, name)
        asker = await _asker(application, route, described["key"])
        return await application.pipeline.explain({}, _question(route, described), asker=asker)


async def _served(application: "Application", name: str) -> "Route":
    from gateway.registry import RouteStore

    found = await RouteStore(application.registry.database).find(name)
    served = application.registry.snapshot.route(found.id)
    if served is None:
        why = "none of its models is there" if found.enabled else "it is disabled"
        raise Failed(f"The route {found.name} is not served: {why}.")
    return served


async def _asker(application: "Application", route: "Route", key: str | None) -> "Principal":
    from gateway.domain import Principal
    from gateway.registry import KeyStore

    if key is None:
        return Principal("routes-test", route.owner)
    found = await KeyStore(application.registry.database).find(key)
    return Principal(found.id, found.owner, frozenset(found.scopes), name=found.name)


def _question(route: "Route", described: Mapping[str, Any]) -> "Question":
    import msgspec

    from gateway.pipeline import Question

    fields = {}
    if described["tokens"]:
        text = "x" * max(1, (described["tokens"] - _BYTES) * _BYTES)
        fields["messages"] = msgspec.Raw(msgspec.json.encode([{"role": "user", "content": text}]))
    if described["max_tokens"]:
        fields["max_tokens"] = msgspec.Raw(b"%d" % described["max_tokens"])
    headers = described_headers(described["headers"], described["tags"])
    return Question(model=route.id, headers=headers, fields=fields)


def _tell(told: "Explanation", *, as_json: bool) -> None:
    if as_json:
        print_json(
            {"route": told.route, "strategy": told.strategy, "candidates": told.candidates, "refused": told.refused}
        )
    else:
        tried = [one for one in told.candidates if one.excluded is None]
        rows: Sequence[Sequence[object]] = [
            (one.name, one.id, one.priority, f"{one.weight:g}", _place(number, len(tried), one.excluded))
            for number, one in enumerate(told.candidates, 1)
        ]
        click.echo(f"The strategy {told.strategy} would try:", err=True)
        print_rows(("TARGET", "ID", "PRIORITY", "WEIGHT", "TRIED"), rows, empty="")
    if told.refused:
        raise Failed(f"The request would be refused: {told.refused}")


def _place(number: int, count: int, excluded: str | None) -> str:
    return f"{number} of {count}" if excluded is None else f"no: {excluded}"


def _finding(report: "Report") -> str:
    wrong = next((check for check in report.checks if check.result == "failed"), None)
    return f"{wrong.check}: {wrong.finding}" if wrong is not None else report.checks[-1].finding
