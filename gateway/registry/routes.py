"""The store of routes: what the command line and tests read and change."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from gateway.registry.connection import Connection
from gateway.registry.errors import Conflict, NotFound
from gateway.registry.tables import models, routes
from gateway.settings.limits import InvalidValue, canonical_uuid, check_text, required
from gateway.terms import Condition, RouteOptions, Terms

if TYPE_CHECKING:
    from gateway.registry.database import Database

MOST = 100
"""Targets of one route."""


class StoredTarget(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One target as it is stored."""

    model: str
    """The model's id."""
    weight: float = 1.0
    priority: int = 0
    when: tuple[str, ...] = ()
    """Conditions as people write them."""

    def terms(self) -> Terms:
        """What they say; raises `ValueError` in words."""
        return Terms(float(self.weight), self.priority, tuple(map(Condition.read, self.when))).checked()


class NewRoute(msgspec.Struct, frozen=True, kw_only=True):
    """A route to be added; names are those of the columns."""

    name: str
    targets: Sequence[StoredTarget]
    strategy: str = "ordered"
    options: RouteOptions = RouteOptions()
    id: str | None = None
    user_id: str | None = None
    sharing: str = "private"
    enabled: bool = True


class StoredRoute(msgspec.Struct, frozen=True, kw_only=True):
    """A route as it is shown."""

    id: str
    name: str
    strategy: str
    targets: tuple[StoredTarget, ...]
    options: RouteOptions
    owner: str | None
    sharing: str
    enabled: bool
    created_at: datetime | None = None
    updated_at: datetime | None = None
    managed_by: str = ""
    """Where it stands in the settings, which alone can change it; empty for one of the table."""


class RouteStore:
    """Reads and changes the table of routes, and reads those of the settings."""

    def __init__(self, database: "Database") -> None:
        self._database = database

    async def add(self, route: NewRoute) -> StoredRoute:
        """Store a route; `Conflict` when its id exists, `InvalidValue` for what it cannot be."""
        async with self._database.change() as connection:
            return await self.add_within(connection, route)

    async def add_within(self, connection: Connection, route: NewRoute) -> StoredRoute:
        """The same in a transaction that is open."""
        values = _columns(msgspec.structs.asdict(route))
        values["id"] = canonical_uuid(route.id) if route.id else str(uuid.uuid4())
        values["created_at"] = datetime.now(UTC)
        await self._refuse_unknown(connection, values["targets"])
        try:
            row = (await connection.execute(sa.insert(routes).values(values).returning(routes))).one()
        except IntegrityError as error:
            raise Conflict(f"A route with the id {values['id']} exists: give another id.") from error
        return stored(row)

    async def all(self) -> list[StoredRoute]:
        """All routes, by name."""
        async with self._database.read() as connection:
            return await self.all_within(connection)

    async def all_within(self, connection: Connection) -> list[StoredRoute]:
        """The same in a transaction that is open."""
        rows = (await connection.execute(sa.select(routes).order_by(routes.c.name, routes.c.id))).all()
        every = (*map(stored, rows), *self._database.declared.routes)
        return sorted(every, key=lambda route: (route.name, route.id))

    async def find(self, id_or_name: str) -> StoredRoute:
        """The route of that id, else of that name; `NotFound`, or `Conflict` when the name is not enough."""
        found = [route for route in await self.all() if _is(route, id_or_name)]
        if not found:
            raise NotFound(f"There is no route {id_or_name[:100]!r}: `gateway routes list` shows all.")
        if len(found) > 1:
            ids = ", ".join(route.id for route in found[:5])
            raise Conflict(f"{len(found)} routes are called {id_or_name[:100]!r}: use an id ({ids}).")
        return found[0]

    async def of_model(self, model_id: str) -> list[StoredRoute]:
        """The routes that have this model as a target."""
        return [route for route in await self.all() if any(target.model == model_id for target in route.targets)]

    async def update(self, route_id: str, changes: Mapping[str, Any]) -> StoredRoute:
        """Change the given columns of one route."""
        async with self._database.change() as connection:
            return await self.update_within(connection, route_id, changes)

    async def update_within(self, connection: Connection, route_id: str, changes: Mapping[str, Any]) -> StoredRoute:
        """The same in a transaction that is open."""
        if unknown := set(changes) - (set(NewRoute.__struct_fields__) - {"id"}):
            raise InvalidValue(f"A route's {', '.join(sorted(unknown))} cannot be changed.")
        self._database.declared.refuse_change(route_id)
        values = {**_columns(changes), "updated_at": datetime.now(UTC)}
        statement = sa.update(routes).where(routes.c.id == canonical_uuid(route_id)).returning(routes)
        await self._refuse_unknown(connection, values.get("targets", ()))
        row = (await connection.execute(statement.values(values))).one_or_none()
        if row is None:
            raise NotFound(f"There is no route with the id {route_id}.")
        return stored(row)

    async def remove(self, route_id: str) -> None:
        """Delete one route; its models stay."""
        self._database.declared.refuse_change(route_id)
        async with self._database.change() as connection:
            deleted = await connection.execute(sa.delete(routes).where(routes.c.id == canonical_uuid(route_id)))
        if not deleted.rowcount:
            raise NotFound(f"There is no route with the id {route_id}.")

    async def _refuse_unknown(self, connection: Connection, targets: Sequence[Mapping[str, Any]]) -> None:
        """A route of models that are not there is a mistake; one whose model goes later only becomes shorter."""
        wanted = [target["model"] for target in targets]
        known = set((await connection.execute(sa.select(models.c.id).where(models.c.id.in_(wanted)))).scalars())
        known |= self._database.declared.models.keys()
        if missing := [model_id for model_id in wanted if model_id not in known]:
            raise NotFound(f"There is no model with the id {missing[0]}: `gateway models list` shows all.")


def stored(row: sa.Row[Any]) -> StoredRoute:
    """The row, typed; raises `msgspec.ValidationError` where somebody else wrote what is no route."""
    columns = row._asdict()
    return StoredRoute(
        owner=columns.pop("user_id"),
        targets=msgspec.convert(columns.pop("targets"), tuple[StoredTarget, ...]),
        options=msgspec.convert(columns.pop("options"), RouteOptions),
        **columns,
    )


def checked(targets: Sequence[StoredTarget]) -> Sequence[StoredTarget]:
    """The same; raises `InvalidValue` for targets no route can have."""
    if not targets:
        raise InvalidValue("A route needs a target: the id or name of a model.")
    if len(targets) > MOST:
        raise InvalidValue(f"The route has {len(targets)} targets, at most {MOST} are allowed.")
    for target in targets:
        try:
            target.terms()
        except ValueError as error:
            raise InvalidValue(f"The target {target.model[:100]} cannot be used: {error}.") from error
    ids = [target.model for target in targets]
    if twice := sorted({one for one in ids if ids.count(one) > 1}):
        raise InvalidValue(f"The model {twice[0][:100]} is a target twice: name it once.")
    return targets


def _is(route: StoredRoute, id_or_name: str) -> bool:
    try:
        return route.id == str(uuid.UUID(id_or_name)) or route.name == id_or_name
    except ValueError:
        return route.name == id_or_name


def _columns(given: Mapping[str, Any]) -> dict[str, Any]:
    """The values as the table takes them: checked, ids canonical."""
    values = dict(given)
    for field in {"name", "strategy"} & set(values):
        values[field] = required(field, values[field])
    if "sharing" in values:
        check_text("sharing", values["sharing"])
    if "user_id" in values:
        values["user_id"] = canonical_uuid(values["user_id"], what="user_id") if values["user_id"] else None
    if "options" in values:
        try:
            values["options"] = _sparse(values["options"].checked())
        except ValueError as error:
            raise InvalidValue(f"The route cannot be used: {error}.") from error
    if "targets" in values:
        canonical = [
            msgspec.structs.replace(target, model=canonical_uuid(target.model, what="target"))
            for target in values["targets"]
        ]
        values["targets"] = msgspec.to_builtins(checked(canonical))
    return values


def _sparse(options: RouteOptions) -> dict[str, Any]:
    """What differs from the defaults: a newer program's fields are not written by accident."""
    plain = msgspec.to_builtins(options)
    return {name: value for name, value in plain.items() if value != getattr(RouteOptions(), name)}
