"""Takes in models from elsewhere: their ids, owners and dates kept, repeatable, all in one transaction."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import msgspec
import sqlalchemy as sa

from gateway.registry import migrations
from gateway.registry.columns import Ciphertext
from gateway.registry.connection import Connection, Engine
from gateway.registry.database import Database, reaching
from gateway.registry.engine import create_engine, parse_url
from gateway.registry.errors import KeyringError, SchemaMismatch
from gateway.registry.keyring import Keyring
from gateway.registry.references import KeyReference, reference_in
from gateway.registry.tables import generation, models, secrets
from gateway.secrets import Secret

if TYPE_CHECKING:
    from gateway.settings import Settings

Stored = Mapping[str, sa.Row[Any]]


class Incoming(msgspec.Struct, frozen=True, kw_only=True):
    """A model as it is elsewhere; columns that are not given keep what they have here."""

    id: str
    columns: Mapping[str, Any]
    """Checked values; `api_key` is a `Secret`, a reference to one, or None, `headers` a mapping."""


class Placed(msgspec.Struct, frozen=True, kw_only=True):
    """What became of an incoming model."""

    done: Literal["added", "updated", "unchanged"]
    changed: tuple[str, ...] = ()
    """The columns whose values are replaced."""
    undoes: bool = False
    """Whether it was changed here after it was last changed there."""
    keeps_key: bool = False
    """Whether the key that is here stays: it is looked up elsewhere, or there is none any more there."""
    has_twin: bool = False
    """Whether its owner has another model of the same name."""


async def take_in(
    database: Database,
    incoming: Sequence[Incoming],
    told: Callable[[], object] = lambda: None,
    *,
    then: Callable[[Connection], Awaitable[object]] | None = None,
) -> list[Placed]:
    """Add or update these models, all or none; `told` is called once for each.

    `then` is awaited in the same transaction, when they are there.
    """
    # Alone: whoever seals locks rows before the generation, and here it is the other way round.
    async with database.changing_keys() as connection:
        # A second import waits here, and then sees what this one wrote.
        await connection.execute(sa.select(generation.c.value).with_for_update())
        stored = await _stored(connection)
        placed = _compare(incoming, stored, database.keyring)
        await _write(connection, list(zip(incoming, placed, strict=True)), database.keyring, told)
        if then is not None:
            await then(connection)
    return placed


async def compare(database: Database | None, incoming: Sequence[Incoming]) -> list[Placed]:
    """What `take_in` would do; None is a database that is not made yet."""
    if database is None:
        return _compare(incoming, {}, None)
    async with database.read() as connection:
        return _compare(incoming, await _stored(connection), database.keyring)


@asynccontextmanager
async def existing(settings: "Settings") -> AsyncIterator[Database | None]:
    """The database as it is, None where there is none yet: nothing is made, nothing migrated.

    Raises `SchemaMismatch` for one that would have to be migrated first.
    """
    if not await _is_made(settings):
        yield None
        return
    database = await Database.open(settings)
    try:
        yield database
    finally:
        await database.aclose()


async def _is_made(settings: "Settings") -> bool:
    url = parse_url(settings.database_url)
    if not _is_there(url):
        return False
    engine = create_engine(url)
    try:
        async with reaching(engine):
            return await _is_in_use(engine)
    finally:
        await engine.dispose()


def _is_there(url: sa.URL) -> bool:
    """False for a SQLite file that an engine would make."""
    return url.get_backend_name() != "sqlite" or Path(url.database or "").is_file()


async def _is_in_use(engine: Engine) -> bool:
    revision = await migrations.current(engine)
    if revision is None:
        return False
    migrations.refuse_newer(revision)
    if revision != migrations.HEAD:
        raise SchemaMismatch(
            f"The database is at revision {revision}, this program needs {migrations.HEAD}: run `gateway db upgrade`."
        )
    async with engine.connect() as connection:
        return bool(await connection.scalar(sa.select(sa.func.count()).select_from(secrets)))


async def _stored(connection: Connection) -> Stored:
    return {row.id: row for row in (await connection.execute(sa.select(models))).all()}


def _compare(incoming: Sequence[Incoming], stored: Stored, keyring: Keyring | None) -> list[Placed]:
    twins = _twins(incoming, stored)
    return [
        msgspec.structs.replace(_place(model, stored.get(model.id), keyring), has_twin=model.id in twins)
        for model in incoming
    ]


def _twins(incoming: Sequence[Incoming], stored: Stored) -> Collection[str]:
    """The ids that will share owner and name with another."""
    named = {row.id: (row.user_id, row.name) for row in stored.values()}
    named |= {model.id: (model.columns["user_id"], model.columns["name"]) for model in incoming}
    groups: dict[tuple[str | None, str], list[str]] = {}
    for model_id, key in named.items():
        groups.setdefault(key, []).append(model_id)
    return {model_id for group in groups.values() if len(group) > 1 for model_id in group}


def _place(model: Incoming, row: sa.Row[Any] | None, keyring: Keyring | None) -> Placed:
    if row is None or keyring is None:
        return Placed(done="added")
    there, here = model.columns.get("updated_at"), row.updated_at
    undoes = here is not None and (there is None or here > there)
    changed = [name for name, value in model.columns.items() if _plain(row, name, keyring) != value]
    if keeps_key := "api_key" in changed and _keeps_key(row, model, keyring):
        changed.remove("api_key")
    if not changed or (changed == ["updated_at"] and undoes):  # only columns of ours were changed here
        return Placed(done="unchanged", keeps_key=keeps_key)
    return Placed(done="updated", changed=tuple(changed), undoes=undoes, keeps_key=keeps_key)


def _keeps_key(row: sa.Row[Any], model: Incoming, keyring: Keyring) -> bool:
    """Keys are emptied there once they have moved in, and whoever put a reference here meant it."""
    if isinstance(model.columns["api_key"], KeyReference):
        return False
    if not model.columns["api_key"]:
        return row.api_key is not None
    try:
        return row.api_key is not None and reference_in(keyring.open(row.api_key)) is not None
    except KeyringError:
        return False


def _plain(row: sa.Row[Any], column: str, keyring: Keyring) -> Any:
    """The stored value as it would come in; what the keyring cannot open equals nothing."""
    value = row._mapping[column]
    if not isinstance(value, Ciphertext):
        return {} if value is None and column == "headers" else value
    try:
        plain = keyring.open(value)
    except KeyringError:
        return value
    return json.loads(plain) if column == "headers" else reference_in(plain) or Secret(plain)


async def _write(
    connection: Connection,
    rows: Sequence[tuple[Incoming, Placed]],
    keyring: Keyring,
    told: Callable[[], object],
) -> None:
    added: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for model, placed in rows:
        if placed.done == "added":
            values = {"id": model.id, **_sealed(model.columns, keyring)}
            added.setdefault(tuple(values), []).append(values)
        elif placed.done == "updated":
            changes = {name: model.columns[name] for name in placed.changed}
            await connection.execute(sa.update(models).where(models.c.id == model.id).values(_sealed(changes, keyring)))
        told()
    for alike in added.values():
        # With RETURNING many rows are one statement, and the generation counts one change.
        await connection.execute(sa.insert(models).returning(models.c.id), alike)


def _sealed(columns: Mapping[str, Any], keyring: Keyring) -> dict[str, Any]:
    values = dict(columns)
    if "api_key" in values:
        key: Secret | KeyReference | None = values["api_key"]
        if isinstance(key, KeyReference):
            values["api_key"] = key.sealed(keyring)
        else:
            values["api_key"] = keyring.seal(key.reveal()) if key else None
    if "headers" in values:
        values["headers"] = keyring.seal(json.dumps(values["headers"])) if values["headers"] else None
    return values
