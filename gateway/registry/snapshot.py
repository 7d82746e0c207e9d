"""The registry in memory: immutable, replaced as a whole, asked without any database call."""

import asyncio
import copy
import json
import logging
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol, TypeVar

import msgspec
import sqlalchemy as sa

from gateway.domain import Model, Prices, Principal, Quirks, Route, Timeouts
from gateway.errors import Overloaded
from gateway.registry.catalog import UNSAID, filled
from gateway.registry.connection import Connection
from gateway.registry.database import Database
from gateway.registry.declared import Declared
from gateway.registry.errors import KeyringError, RegistryError
from gateway.registry.keyfile import stamp
from gateway.registry.keyring import Keyring
from gateway.registry.keys import read_limits
from gateway.registry.references import KeyReference, reference_in
from gateway.registry.routes import StoredRoute, stored
from gateway.registry.tables import generation, keys, models, routes
from gateway.registry.virtual_keys import Digests, well_formed
from gateway.secrets import Secret
from gateway.terms import Limits

_log = logging.getLogger("gateway.registry")
_AT_ONCE: Final = 100
"""Rows read, and keys made, without a turn of the event loop: answers stream meanwhile."""
_OPENED_AT_ONCE: Final = 10
"""Models opened without one: a rotation of the keyring makes us open every row."""

Row = sa.Row[Any]
T = TypeVar("T")


class Key(msgspec.Struct, frozen=True):
    """A virtual key as it is checked."""

    digest: bytes
    principal: Principal
    expires_at: float | None


class Known(NamedTuple):
    """A row and the model made of it, so that an unchanged row is not opened again."""

    row: Row
    model: Model
    key_file: Path | None
    """The file its key was looked up in."""
    stamp: object
    """What the file was then."""
    is_complete: bool = False
    """Whether the catalog was asked for what the row does not say."""


class Contents(NamedTuple):
    """What the tables hold of the registry."""

    generation: int
    models: Sequence[Row]
    keys: Sequence[Row]
    """Those that are not revoked."""
    routes: Sequence[Row]
    """Those that are enabled."""


class Opener(Protocol):
    """What rows are opened with: the open database, or what was kept of it."""

    @property
    def keyring(self) -> Keyring: ...

    @property
    def index(self) -> bytes: ...

    @property
    def declared(self) -> Declared: ...

    def follow_keyring(self) -> None:
        """Take up a keyring that was changed meanwhile."""
        ...


class RegistrySnapshot:
    """One state of the registry."""

    __slots__ = (
        "_digests",
        "_keys",
        "_known",
        "_models",
        "_named",
        "_routes",
        "_routes_named",
        "generation",
        "index",
        "is_current",
    )

    def __init__(
        self,
        generation: int,
        known: Mapping[str, Known],
        keys: Mapping[bytes, Key],
        index: bytes,
        *,
        models: Mapping[str, Model],
        routes: Iterable[Route],
        is_current: bool = True,
    ) -> None:
        self.generation = generation
        self.is_current = is_current
        self._known = known
        self._models = {id: model for id, model in models.items() if model.enabled}
        self._keys = keys
        self.index = index
        self._digests = Digests(index) if index else None
        self._named: dict[str, list[Model]] = {}
        for model in self._models.values():
            self._named.setdefault(model.name, []).append(model)
        self._routes = {route.id: route for route in routes}
        self._routes_named: dict[str, list[Route]] = {}
        for route in self._routes.values():
            self._routes_named.setdefault(route.name, []).append(route)

    def model(self, model_id: str) -> Model | None:
        """The enabled model with that id (canonical lower-case UUID)."""
        return self._models.get(model_id)

    def models_named(self, name: str) -> Sequence[Model]:
        """The enabled models of that name, of all owners."""
        return self._named.get(name, ())

    def models(self) -> Sequence[Model]:
        """Every enabled model, of all owners."""
        return list(self._models.values())

    def route(self, route_id: str) -> Route | None:
        """The enabled route with that id (canonical lower-case UUID)."""
        return self._routes.get(route_id)

    def routes_named(self, name: str) -> Sequence[Route]:
        """The enabled routes of that name, of all owners."""
        return self._routes_named.get(name, ())

    def routes(self) -> Sequence[Route]:
        """Every enabled route, of all owners."""
        return list(self._routes.values())

    def principal(self, token: str) -> Principal | None:
        """Whom a virtual key stands for; None for malformed, unknown, revoked and expired ones alike.

        While the database is away nobody can say that a well-formed key is unknown: `Overloaded`.
        """
        key = None if self._digests is None else self._keys.get(self._digests.of(token))
        if key is None:
            if not self.is_current and well_formed(token):
                raise Overloaded("Virtual keys cannot be checked before the database has answered.", retry_after=5)
            return None
        return None if key.expires_at is not None and key.expires_at <= time.time() else key.principal

    def remembered(self) -> "RegistrySnapshot":
        """The same state, no longer known to be the database's."""
        other = copy.copy(self)
        other.is_current = False
        return other

    def known(self, row: Row) -> Known | None:
        """The entry made of exactly this row and the key's file as it is now, if there is one."""
        entry = self._known.get(row.id)
        if entry is None or entry.row != row or (entry.key_file and stamp(entry.key_file) != entry.stamp):
            return None
        return entry

    def key_files(self) -> tuple[object, ...]:
        """What changes when one of the files does that keys are looked up in."""
        files = dict.fromkeys(entry.key_file for entry in self._known.values() if entry.key_file)
        return tuple(map(stamp, files))


async def contents(database: Database) -> Contents:
    """What the tables hold now, in one transaction."""
    async with database.read() as connection:
        try:
            return Contents(
                await connection.scalar(sa.select(generation.c.value)) or 0,
                await _all(connection, sa.select(models)),
                await _all(connection, sa.select(keys).where(keys.c.revoked_at.is_(None))),
                await _all(connection, sa.select(routes).where(routes.c.enabled)),
            )
        except ValueError as error:  # SQLite lets other programs write text that is no JSON, or no time
            raise RegistryError(f"The registry's tables hold a value that cannot be read: {error}.") from error


async def _all(connection: Connection, select: sa.Select[Any]) -> list[Row]:
    """The rows, fetched some at a time: at once ten thousand would hold the event loop up for a third of a second."""
    async with connection.stream(select) as result:
        return [row async for some in result.partitions(_AT_ONCE) for row in some]


async def _gently(rows: Iterable[T], at_once: int = _AT_ONCE) -> AsyncIterator[T]:
    """Each of them, with a turn of the event loop between so many."""
    for count, row in enumerate(rows, 1):
        yield row
        if count % at_once == 0:
            await asyncio.sleep(0)


async def made_of(
    rows: Contents, opener: Opener, previous: RegistrySnapshot | None = None, *, is_current: bool = True
) -> RegistrySnapshot:
    """What is served of these rows."""
    opened = _gently(rows.models, _OPENED_AT_ONCE)
    known = {row.id: entry async for row in opened if (entry := _entry(row, opener, previous)) is not None}
    known = await _completed(known)
    every = {**{id: entry.model for id, entry in known.items()}, **opener.declared.models}
    written = [route for route in opener.declared.routes if route.enabled]
    served = [_with_models(route, every) for route in written]
    served += [_route(row, every) async for row in _gently(rows.routes)]
    return RegistrySnapshot(
        rows.generation,
        known,
        {key.digest: key async for row in _gently(rows.keys) if (key := _key(row)) is not None},
        opener.index,
        models=every,
        routes=[route for route in served if route is not None],
        is_current=is_current,
    )


def without_database(said: Declared) -> RegistrySnapshot:
    """What the settings alone say: no virtual key, and no model of the tables."""
    routes = [_with_models(route, said.models) for route in said.routes if route.enabled]
    served = [route for route in routes if route is not None]
    return RegistrySnapshot(0, {}, {}, b"", models=said.models, routes=served, is_current=False)


async def _completed(known: Mapping[str, Known]) -> dict[str, Known]:
    """The entries with what the catalog knows; each is looked up once and kept while its row stays the same."""
    models = {id: entry.model for id, entry in known.items() if not entry.is_complete}
    found = await filled(models)
    return {
        id: entry._replace(model=found[id], is_complete=True) if id in found else entry for id, entry in known.items()
    }


def _entry(row: Row, opener: Opener, previous: RegistrySnapshot | None) -> Known | None:
    if previous is not None and (entry := previous.known(row)) is not None:
        return entry
    try:
        try:
            return _open(row, opener.keyring)
        except KeyringError:
            opener.follow_keyring()
            return _open(row, opener.keyring)
    except (KeyringError, msgspec.MsgspecError, ValueError, TypeError) as error:
        # One row that cannot be read must not take the others away.
        _log.error("Model %s is left out: %s", row.id, error)
        return None


def _open(row: Row, keyring: Keyring) -> Known:
    plain = keyring.open(row.api_key) if row.api_key else ""
    reference = reference_in(plain)
    if reference is None:
        return Known(row, _model(row, keyring, Secret(plain)), None, None)
    before = stamp(reference.file) if reference.file else None
    return Known(row, _looked_up(row, keyring, reference), reference.file, before)


def _looked_up(row: Row, keyring: Keyring, reference: KeyReference) -> Model:
    try:
        return _model(row, keyring, reference.resolve())
    except RegistryError as error:
        if isinstance(error, KeyringError):
            raise
        _log.error("Model %s (%s) cannot be called: %s", row.name, row.id, error)
        return _model(row, keyring, Secret(""), fault=str(error))


def _model(row: Row, keyring: Keyring, api_key: Secret, *, fault: str = "") -> Model:
    headers = json.loads(keyring.open(row.headers)) if row.headers else {}
    return Model(
        id=row.id,
        name=row.name,
        model_id=row.model_id,
        base_url=row.base_url,
        api_key=api_key,
        fault=fault,
        provider=row.provider,
        owner=row.user_id,
        sharing=row.sharing,
        description=row.description,
        context_length=None if row.context_length in (0, UNSAID) else row.context_length,
        enabled=row.enabled,
        parameters=row.parameters,
        quirks=msgspec.convert(row.quirks, Quirks),
        headers=msgspec.convert(headers, dict[str, str]),
        timeouts=msgspec.convert(row.timeouts, Timeouts),
        prices=msgspec.convert(row.prices, Prices),
        capabilities=frozenset(row.capabilities),
    )


def _route(row: Row, models: Mapping[str, Model]) -> Route | None:
    try:
        return _with_models(stored(row), models)
    except (msgspec.MsgspecError, ValueError, TypeError) as error:
        _log.error("Route %s is left out: %s", row.id, error)
        return None


def _with_models(route: StoredRoute, models: Mapping[str, Model]) -> Route | None:
    """The route over those of its models that can be read; None when there is none left."""
    there = [target for target in route.targets if target.model in models]
    for target in route.targets:
        if target.model not in models:
            _log.warning(
                "Route %s (%s) goes without the model %s, which is not there.", route.name, route.id, target.model
            )
    if not there:
        _log.error("Route %s (%s) is left out: none of its models is there.", route.name, route.id)
        return None
    return Route(
        route.name,
        tuple(models[target.model] for target in there),
        route.strategy,
        terms={target.model: target.terms() for target in there},
        options=route.options.checked(),
        id=route.id,
        owner=route.owner,
        sharing=route.sharing,
    )


def _key(row: Row) -> Key | None:
    try:
        limits = read_limits(row.limits)
    except ValueError as error:
        # Without its limits it would be unlimited; the other keys need not suffer.
        _log.error("Key %s (%s) is left out: its limits cannot be read: %s", row.name, row.id, error)
        return None
    principal = Principal(
        id=row.id,
        owner=row.user_id,
        scopes=frozenset(row.scopes),
        name=row.name,
        limits=None if limits == Limits() else limits,
        detach=row.detach,
    )
    return Key(bytes(row.digest), principal, row.expires_at.timestamp() if row.expires_at else None)


if TYPE_CHECKING:
    from gateway.protocols import Snapshot

    _: type[Snapshot] = RegistrySnapshot
