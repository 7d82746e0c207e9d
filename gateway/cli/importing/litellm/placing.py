"""Puts a plan into the registry, or says what that would do: repeatable, nothing doubled."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from gateway.cli.importing.litellm.deployments import Deployment
from gateway.cli.importing.litellm.ids import is_made
from gateway.cli.importing.litellm.plan import Plan
from gateway.registry import Database, KeyStore, ModelStore
from gateway.registry.imports import Incoming, Placed, compare, existing, take_in
from gateway.registry.routes import NewRoute, RouteStore, StoredRoute

if TYPE_CHECKING:
    from gateway.registry import StoredModel
    from gateway.registry.connection import Connection
    from gateway.settings import Settings

Done = Literal["added", "updated", "unchanged", "failed", "left"]
"""`left`: an earlier import made it, this file does not have it, and it stays."""


class Result(msgspec.Struct, kw_only=True):
    """What became of one model or route."""

    kind: Literal["model", "route"]
    done: Done
    id: str
    name: str
    place: str = ""
    changed: tuple[str, ...] = ()


class Outcome(msgspec.Struct, kw_only=True):
    """What an import did, or would do."""

    results: list[Result]
    ambiguous: dict[str, list[str]]
    """Names of the file that stand for several models or routes now, and these by id."""
    admin: Path | None = None
    """The file of an admin key that was made because there was none."""


async def place(plan: Plan, settings: "Settings", *, dry_run: bool) -> Outcome:
    """Put in every model and route, all or none."""
    incoming = [Incoming(id=one.id, columns=one.columns) for one in plan.deployments if one.columns is not None]
    if dry_run:
        async with existing(settings) as found:
            placed = await compare(found, incoming)
            stored = await RouteStore(found).all() if found is not None else []
            models = await ModelStore(found).all() if found is not None else []
        routes = [_compared(route, stored) for route in plan.routes]
        return _outcome([*_models(plan.deployments, placed), *routes], models, stored)
    database = await Database.open(settings)
    store = RouteStore(database)
    routes = list[Result]()

    async def put_routes(connection: "Connection") -> None:
        stored = await store.all_within(connection)
        for route in plan.routes:
            routes.append(result := _compared(route, stored))
            if result.done == "added":
                await store.add_within(connection, route)
            elif result.done == "updated":
                changes = {name: getattr(route, name) for name in result.changed}
                await store.update_within(connection, result.id, changes)

    try:
        placed = await take_in(database, incoming, then=put_routes)
        outcome = _outcome(
            [*_models(plan.deployments, placed), *routes], await ModelStore(database).all(), await store.all()
        )
        outcome.admin = await KeyStore(database).ensure_first_admin(settings.data_dir) if plan.wants_admin else None
    finally:
        await database.aclose()
    return outcome


def _outcome(results: list[Result], models: "Sequence[StoredModel]", routes: "Sequence[StoredRoute]") -> Outcome:
    """With what the file does not speak of: rows of earlier imports, and others of the same name."""
    known = {result.id for result in results}
    there: list[Result] = [
        *(Result(kind="model", done="left", id=one.id, name=one.name) for one in models if one.owner is None),
        *(Result(kind="route", done="left", id=one.id, name=one.name) for one in routes if one.owner is None),
    ]
    others = [one for one in there if one.id not in known]
    of_name: dict[str, list[str]] = {}
    for one in (*results, *others):
        if one.done != "failed":
            of_name.setdefault(one.name, []).append(f"{one.kind} {one.id}")
    names = {result.name for result in results}
    ambiguous = {name: found for name, found in of_name.items() if len(found) > 1 and name in names}
    return Outcome(results=[*results, *(one for one in others if is_made(one.id))], ambiguous=ambiguous)


def _models(deployments: Sequence[Deployment], placed: Sequence[Placed]) -> list[Result]:
    results, waiting = list[Result](), iter(placed)
    for one in deployments:
        found = next(waiting) if one.columns is not None else None
        results.append(
            Result(
                kind="model",
                done=found.done if found else "failed",
                id=one.id,
                name=str((one.columns or {}).get("name", one.group)),
                place=one.field.path,
                changed=found.changed if found else (),
            )
        )
    return results


def _compared(route: NewRoute, stored: Sequence[StoredRoute]) -> Result:
    assert route.id is not None
    there = next((one for one in stored if one.id == route.id), None)
    if there is None:
        return Result(kind="route", done="added", id=route.id, name=route.name)
    now: dict[str, Any] = {"name": route.name, "strategy": route.strategy, "targets": tuple(route.targets)}
    changed = tuple(name for name, value in now.items() if getattr(there, name) != value)
    return Result(
        kind="route", done="updated" if changed else "unchanged", id=route.id, name=route.name, changed=changed
    )
