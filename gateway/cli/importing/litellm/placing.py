"""Puts a plan into the registry, or says what that would do: repeatable, nothing doubled."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec

from gateway.cli.importing.litellm.deployments import Deployment
from gateway.cli.importing.litellm.plan import Plan
from gateway.registry import Database, KeyStore
from gateway.registry.imports import Incoming, Placed, compare, existing, take_in
from gateway.registry.routes import NewRoute, RouteStore, StoredRoute

if TYPE_CHECKING:
    from gateway.settings import Settings

Done = Literal["added", "updated", "unchanged", "failed"]


class Result(msgspec.Struct, kw_only=True):
    """What became of one model or route."""

    kind: Literal["model", "route"]
    done: Done
    id: str
    name: str
    place: str = ""
    changed: tuple[str, ...] = ()


async def place(plan: Plan, settings: "Settings", *, dry_run: bool) -> tuple[list[Result], Path | None]:
    """Every model and route; and the file of an admin key that was made because there was none."""
    incoming = [Incoming(id=one.id, columns=one.columns) for one in plan.deployments if one.columns is not None]
    if dry_run:
        async with existing(settings) as found:
            placed = await compare(found, incoming)
            stored = await RouteStore(found).all() if found is not None else []
        return [*_models(plan.deployments, placed), *(_compared(route, stored) for route in plan.routes)], None
    database = await Database.open(settings)
    try:
        placed = await take_in(database, incoming)
        routes = await _take_in_routes(RouteStore(database), plan.routes)
        admin = await KeyStore(database).ensure_first_admin(settings.data_dir) if plan.wants_admin else None
    finally:
        await database.aclose()
    return [*_models(plan.deployments, placed), *routes], admin


def _models(deployments: Sequence[Deployment], placed: Sequence[Placed]) -> list[Result]:
    results, waiting = [], iter(placed)
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


async def _take_in_routes(store: RouteStore, routes: Sequence[NewRoute]) -> list[Result]:
    stored = await store.all()
    results = []
    for route in routes:
        result = _compared(route, stored)
        if result.done == "added":
            await store.add(route)
        elif result.done == "updated":
            await store.update(result.id, {name: getattr(route, name) for name in result.changed})
        results.append(result)
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
