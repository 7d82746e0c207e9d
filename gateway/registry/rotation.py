"""Rotates the keyring: a new key, everything sealed anew under it, and the old keys taken away.

A rotation may be killed at any row: what was sealed anew stays so, the rest still lies under a key that the keyring
has, and the next `rotate` goes on where it stopped. Every value is read back before its change is committed.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

import sqlalchemy as sa

from gateway.registry.columns import Sealed
from gateway.registry.connection import Connection
from gateway.registry.database import Database
from gateway.registry.errors import KeyringError
from gateway.registry.keyfile import add_key, drop_keys
from gateway.registry.keyring import ID_LENGTH
from gateway.registry.tables import metadata

BATCH: Final = 100
"""Rows of one transaction: other writers wait for no more."""


class KeyUse(NamedTuple):
    """One key of the keyring, or one that is missing there, and how many stored values it sealed."""

    id: str
    role: str
    """`seals` (the newest), `opens`, or `missing`."""
    made_at: datetime | None
    values: int


class Rotation(NamedTuple):
    """What a rotation did."""

    key: str
    """The id of the key everything lies under now."""
    resumed: bool
    """Whether it went on with an earlier one instead of making a key."""
    values: int
    """How many were sealed anew."""
    unreadable: tuple[str, ...]
    """A sentence for each value no key of the ring opens; they were left as they are."""


async def key_uses(database: Database) -> list[KeyUse]:
    """Every key with what it seals, newest first, missing ones last."""
    database.follow_keyring()
    async with database.read() as connection:
        counted = await _counted(connection)
    ring = database.keyring
    missing = sorted(set(counted) - set(ring.ids))
    return [
        KeyUse(by, _role(by, ring.current, missing), ring.made.get(by), counted.get(by, 0))
        for by in (*ring.ids, *missing)
    ]


async def rotate(database: Database) -> Rotation:
    """Seal every stored value under a new key, or under the newest one where a rotation was not finished.

    Servers take the new key up by themselves. A keyring out of the settings gets no new key here: its first one is
    taken. The index secret keeps its value, so virtual keys go on working.
    """
    async with database.changing_keys() as connection:
        counted = await _counted(connection)
        resumed = any(counted.get(by) for by in database.keyring.ids[1:])
        if not resumed and database.keyring_file is not None:
            database.keyring = add_key(database.keyring_file).and_before(database.keyring)
    moved, unreadable = 0, list[str]()
    for column in _places():
        count, sentences = await _move(database, column)
        moved += count
        unreadable += sentences
    return Rotation(database.keyring.current, resumed, moved, tuple(unreadable))


async def prune(database: Database) -> tuple[str, ...]:
    """Take the older keys out of the keyring's file; their ids. Raises while any value needs one of them.

    For a keyring out of the settings the ids are those that may be taken out there.
    """
    async with database.changing_keys() as connection:
        older = database.keyring.ids[1:]
        counted = await _counted(connection)
        if needed := [by for by in counted if by != database.keyring.current]:
            count = sum(counted[by] for by in needed)
            raise KeyringError(
                f"{count} values are sealed with the key {', '.join(needed)}: run `gateway secrets rotate` first."
            )
        newest = database.keyring.newest()
        for column in _places():
            for row in (await connection.execute(sa.select(column).where(column.is_not(None)))).scalars():
                newest.open(row)  # raises: nothing is taken away that might be needed
        if older and database.keyring_file is not None:
            database.keyring = drop_keys(database.keyring_file, older).and_before(database.keyring)
    return older


def _role(by: str, current: str, missing: Collection[str]) -> str:
    return "missing" if by in missing else "seals" if by == current else "opens"


def _places() -> list[sa.Column[Any]]:
    """Every column that holds sealed text; the index secret first, without which nobody gets in."""
    tables = sorted(metadata.tables.values(), key=lambda table: table.name != "secrets")
    return [column for table in tables for column in table.columns if isinstance(column.type, Sealed)]


async def _counted(connection: Connection) -> Mapping[str, int]:
    """How many values each key sealed, by its id."""
    counted: dict[str, int] = {}
    for column in _places():
        by = sa.func.substr(sa.type_coerce(column, sa.Text), 1, ID_LENGTH)
        grouped = sa.select(by, sa.func.count()).where(column.is_not(None)).group_by(by)
        for found, count in (await connection.execute(grouped)).all():
            counted[found] = counted.get(found, 0) + count
    return counted


async def _move(database: Database, column: sa.Column[Any]) -> tuple[int, list[str]]:
    """Seal what this column holds anew, batch by batch: how many, and a sentence for each value that could not be."""
    (identity,) = column.table.primary_key.columns
    moved, unreadable = 0, list[str]()
    after: object = None
    while True:
        async with database.sealing() as connection:
            ours = sa.type_coerce(column, sa.Text).startswith(f"{database.keyring.current}:")
            stale = sa.select(identity, column).where(column.is_not(None), sa.not_(ours)).order_by(identity)
            if after is not None:
                stale = stale.where(identity > after)
            # Locked before the first is changed: whoever changes one of them waits for all, and nobody for ever.
            rows = (await connection.execute(stale.limit(BATCH).with_for_update())).all()
            if not rows:
                return moved, unreadable
            after = rows[-1][0]
            sentences = await _seal_anew(database, connection, column, rows)
        moved += len(rows) - len(sentences)
        unreadable += sentences


async def _seal_anew(
    database: Database, connection: Connection, column: sa.Column[Any], rows: Sequence[sa.Row[*tuple[Any, ...]]]
) -> list[str]:
    """Seal these rows' values anew and read them back, in the one transaction; a sentence for each nobody opens."""
    (identity,) = column.table.primary_key.columns
    plain: dict[object, str] = {}
    unreadable = []
    for key, sealed in rows:
        try:
            plain[key] = database.keyring.open(sealed)
        except KeyringError as error:
            unreadable.append(f"{column.table.name} {key}, {column.name}: {error}")
            continue
        fresh = {column.name: database.keyring.seal_marked(plain[key])}
        await connection.execute(sa.update(column.table).where(identity == key).values(fresh))
    newest = database.keyring.newest()
    again = (await connection.execute(sa.select(identity, column).where(identity.in_(plain)))).all()
    if {row[0]: newest.open(row[1]) for row in again} != plain:
        raise KeyringError(f"What was sealed anew in {column.table.name} cannot be read back: nothing of it was kept.")
    return unreadable
