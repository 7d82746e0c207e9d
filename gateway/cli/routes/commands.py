"""The commands `gateway routes add, list, show, update, remove`; `test` is beside them."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.endings import Wrong
from gateway.cli.opened import settings, work
from gateway.cli.output import print_fields, print_json, print_rows
from gateway.cli.routes.targets import known_strategy, read_hedge, read_target, resolve, told, unusable
from gateway.cli.routes.testing import test

if TYPE_CHECKING:
    from gateway.registry import Database, StoredModel, StoredRoute

_TARGET_HELP = (
    "A model by name or id; repeat it. weight=9: its share among its equals. priority=1: only when all of priority 0 "
    "fail. when=tag:NAME, when=key:ID_OR_NAME, when=header:NAME=VALUE, when=tokens<N, when=tokens>=N: only requests "
    "like that; several have to hold together."
)
_STRATEGY_HELP = "ordered (as written), weighted, least-busy, latency, cost, sticky, or a plugin's.  [default: ordered]"
_AFFINITY_HELP = "What sticky keeps together: key, user or header:NAME.  [default: key]"
_HEDGE_HELP = "Ask a second target when the first is slower to begin than this percentile of its times; off = never."


@click.group(name="routes")
def group() -> None:
    """Add, list, change, test and remove routes: names that stand for several models."""


group.add_command(test)


def _common_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print the route as JSON."),
        click.option("--hedge", metavar="PERCENTILE[,budget=SHARE]", help=_HEDGE_HELP),
        click.option("--affinity", metavar="WHAT", help=_AFFINITY_HELP),
        click.option("--sharing", type=click.Choice(["private", "public"]), help="[default: private]"),
        click.option("--owner", metavar="UUID", help="Whose route it is; without one it is the operator's."),
        click.option("--strategy", metavar="NAME", shell_complete=_strategies, help=_STRATEGY_HELP),
    ):
        command = option(command)
    return command


def _strategies(ctx: click.Context, parameter: click.Parameter, typed: str) -> list[str]:
    """The strategies that come with the gateway: no plugin is imported while somebody types."""
    ours = ("ordered", "weighted", "least-busy", "latency", "cost", "sticky")
    return [name for name in ours if name.startswith(typed)]


@group.command()
@click.argument("name")
@click.option("--target", "targets", metavar="MODEL[,TERM]...", multiple=True, required=True, help=_TARGET_HELP)
@click.option("--id", "route_uuid", metavar="UUID", help="The id; without it a random one.")
@_common_options
def add(name: str, targets: tuple[str, ...], route_uuid: str | None, as_json: bool, **options: Any) -> None:
    """Add a route called NAME.

    Its id is printed alone on standard output. Clients ask for it by name or id, as for a model.

    \b
    A canary that gets one request of a hundred:
      gateway routes add chat --strategy weighted --target big,weight=99 --target new
    Long requests to the model that takes them, another provider when both fail:
      gateway routes add chat --target small,when=tokens<8000 --target large --target spare,priority=1
    """
    from gateway.registry import NewRoute, RouteStore

    changes = _changes(options)
    written = [read_target(text) for text in targets]

    async def run(database: "Database") -> "tuple[StoredRoute, Mapping[str, StoredModel], bool]":
        new = NewRoute(name=name, targets=await resolve(database, written), id=route_uuid, **changes)
        added = await RouteStore(database).add(new)
        models = await _models(database)
        named = [(model.name, model.owner) for model in models.values()]
        named += [(route.name, route.owner) for route in await RouteStore(database).all()]
        return added, models, named.count((added.name, added.owner)) > 1

    route, models, ambiguous = work(run)
    if ambiguous:
        _warn(f"This owner has another model or route called {route.name}: ask for both by id.")
    for warning in unusable(route, models):
        _warn(warning)
    _print_changed(route, "Added", as_json=as_json)


@group.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_(as_json: bool) -> None:
    """List all routes."""
    from gateway.registry import RouteStore

    async def run(database: "Database") -> "tuple[list[StoredRoute], Mapping[str, StoredModel]]":
        return await RouteStore(database).all(), await _models(database)

    routes, models = work(run)
    if as_json:
        print_json(routes)
        return
    managed = any(route.managed_by for route in routes)
    rows = [
        (
            route.id,
            route.name,
            route.strategy,
            tuple(told(target, models) for target in route.targets),
            route.owner,
            route.sharing,
            route.enabled,
            *([route.managed_by or None] if managed else []),
        )
        for route in routes
    ]
    columns = ["ID", "NAME", "STRATEGY", "TARGETS", "OWNER", "SHARING", "ENABLED"]
    columns += ["MANAGED BY"] if managed else []
    print_rows(columns, rows, empty="There are no routes yet: add one with `gateway routes add`.")


@group.command()
@click.argument("route", metavar="ID_OR_NAME")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(route: str, as_json: bool) -> None:
    """Show one route, a line for each target."""
    from gateway.registry import RouteStore

    async def run(database: "Database") -> "tuple[StoredRoute, Mapping[str, StoredModel]]":
        return await RouteStore(database).find(route), await _models(database)

    found, models = work(run)
    if as_json:
        print_json(found)
        return
    hedge = found.options.hedge
    print_fields(
        {
            "id": found.id,
            "name": found.name,
            "strategy": found.strategy,
            **{f"target {number}": told(target, models) for number, target in enumerate(found.targets, 1)},
            "affinity": found.options.affinity or None,
            "hedge": f"{hedge.percentile:g},budget={hedge.budget:g}" if hedge else None,
            "owner": found.owner,
            "sharing": found.sharing,
            "enabled": found.enabled,
            "created_at": found.created_at,
            "updated_at": found.updated_at,
            "managed by": found.managed_by or "the registry",
        }
    )
    for warning in unusable(found, models):
        _warn(warning)


@group.command()
@click.argument("route", metavar="ID_OR_NAME")
@click.option("--name", help="A new name.")
@click.option("--target", "targets", metavar="MODEL[,TERM]...", multiple=True, help=f"In place of all. {_TARGET_HELP}")
@click.option("--enable/--disable", "enabled", default=None, help="Whether it may be used.")
@_common_options
def update(route: str, name: str | None, targets: tuple[str, ...], as_json: bool, **options: Any) -> None:
    """Change one route.

    Only what is given changes; targets are replaced together. An empty --owner makes it the operator's, an empty
    --affinity leaves it to the strategy.
    """
    import msgspec

    from gateway.registry import RouteStore

    changes = _changes(options)
    written = [read_target(text) for text in targets]
    if name is not None:
        changes["name"] = name
    if not changes and not written:
        raise Wrong("Nothing to change was given: see `gateway routes update --help`.")

    async def run(database: "Database") -> "tuple[StoredRoute, Mapping[str, StoredModel]]":
        store = RouteStore(database)
        found = await store.find(route)
        if written:
            changes["targets"] = await resolve(database, written)
        if "options" in changes:
            changes["options"] = msgspec.structs.replace(found.options, **_options(options))
        return await store.update(found.id, changes), await _models(database)

    updated, models = work(run)
    for warning in unusable(updated, models):
        _warn(warning)
    _print_changed(updated, "Updated", as_json=as_json)


@group.command()
@click.argument("route", metavar="ID_OR_NAME")
@click.option("--json", "as_json", is_flag=True, help="Print the removed route as JSON.")
def remove(route: str, as_json: bool) -> None:
    """Remove one route; its models stay."""
    from gateway.registry import RouteStore

    async def run(database: "Database") -> "StoredRoute":
        found = await RouteStore(database).find(route)
        await RouteStore(database).remove(found.id)
        return found

    _print_changed(work(run), "Removed", as_json=as_json)


def _changes(given: Mapping[str, Any]) -> dict[str, Any]:
    """The columns that were given, checked as people's input is."""
    from gateway.registry import InvalidValue
    from gateway.settings import limits
    from gateway.terms import RouteOptions

    columns = ("strategy", "sharing", "enabled")
    changes = {field: given[field] for field in columns if given.get(field) is not None}
    if "strategy" in changes:
        changes["strategy"] = known_strategy(settings(), changes["strategy"].strip())
    if given["owner"] is not None:
        try:
            changes["user_id"] = limits.canonical_uuid(given["owner"], what="owner") if given["owner"] else None
        except InvalidValue as error:
            raise Wrong(str(error)) from error
    if options := _options(given):
        try:
            changes["options"] = RouteOptions(**options).checked()
        except ValueError as error:
            raise Wrong(f"--affinity: {error}.") from error
    return changes


def _options(given: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the route's options that were given."""
    options: dict[str, Any] = {}
    if given["affinity"] is not None:
        options["affinity"] = given["affinity"]
    if given["hedge"] is not None:
        options["hedge"] = read_hedge(given["hedge"])
    return options


async def _models(database: "Database") -> "Mapping[str, StoredModel]":
    from gateway.registry import ModelStore

    return {model.id: model for model in await ModelStore(database).all()}


def _warn(message: str) -> None:
    click.echo(f"Warning: {message}", err=True)


def _print_changed(route: "StoredRoute", done: str, *, as_json: bool) -> None:
    if as_json:
        print_json(route)
        return
    click.echo(f"{done} the route {route.name}.", err=True)
    click.echo(route.id)
