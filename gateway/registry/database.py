"""The open database: engine, keyring and index secret together, checked against each other."""

import re
import secrets as random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from gateway.registry import migrations
from gateway.registry.columns import Ciphertext
from gateway.registry.engine import create_engine, parse_url
from gateway.registry.errors import DatabaseUnavailable, KeyringError, RegistryError
from gateway.registry.keyring import FILE, Keyring, create_keyring, read_keyring
from gateway.registry.tables import secrets

if TYPE_CHECKING:
    from sqlalchemy.dialects.postgresql import Insert as PostgreSQLInsert
    from sqlalchemy.dialects.sqlite import Insert as SQLiteInsert

    from gateway.settings import Settings

_INDEX: Final = "index"
_ACTION: Final = (
    "restore the keyring file of the data directory, or set GATEWAY_SECRET_KEYS to the keys this database was made with"
)

_CLASS: Final = re.compile(r"^<class '[^']*'>: ")
"""How SQLAlchemy begins the text of every asyncpg error."""


class Database:
    """What stores and snapshots work with; close it."""

    __slots__ = ("_settings", "engine", "index", "keyring")

    def __init__(self, engine: AsyncEngine, keyring: Keyring, index: bytes, settings: "Settings") -> None:
        self.engine = engine
        self.keyring = keyring
        self.index = index
        """The secret virtual keys are stored under."""
        self._settings = settings

    @classmethod
    async def open(cls, settings: "Settings") -> "Database":
        """Open, migrate where that is allowed and needed, and see that the keyring is this database's.

        Makes keyring and index secret on the very first start. Raises `RegistryError` with the way out.
        """
        url = parse_url(settings.database_url)
        engine = create_engine(url)
        try:
            async with reaching(engine):
                embedded = url.get_backend_name() == "sqlite"
                await migrations.ensure(engine, migrate=embedded or settings.auto_migrate)
                keyring, index = await _unlock(engine, settings)
        except BaseException:
            await engine.dispose()
            raise
        return cls(engine, keyring, index, settings)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """One transaction that sees one state of the database."""
        level = "REPEATABLE READ" if self.engine.dialect.name == "postgresql" else None
        async with reaching(self.engine), self.engine.connect() as connection:
            if level:
                connection = await connection.execution_options(isolation_level=level)
            yield connection

    @asynccontextmanager
    async def change(self) -> AsyncIterator[AsyncConnection]:
        """One writing transaction, committed at the end."""
        engine = self.engine.execution_options(sqlite_begin="BEGIN IMMEDIATE")
        async with reaching(self.engine), engine.begin() as connection:
            yield connection

    async def ping(self) -> None:
        """Raise `DatabaseUnavailable` when the database does not answer."""
        async with reaching(self.engine), self.engine.connect() as connection:
            await connection.execute(sa.select(1))

    def reload_keyring(self) -> None:
        """Take up a keyring file that was rotated while we run."""
        self.keyring = read(self._settings) or self.keyring

    async def aclose(self) -> None:
        """Close all connections."""
        await self.engine.dispose()


@asynccontextmanager
async def reaching(engine: AsyncEngine) -> AsyncIterator[None]:
    """Turn what a driver raises into `RegistryError`s without parameters or passwords."""
    try:
        yield
    except (SQLAlchemyError, OSError) as error:
        original = error.orig if isinstance(error, DBAPIError) else error
        reason = _CLASS.sub("", str(original)).partition("\n")[0] or type(original).__name__
        raise DatabaseUnavailable(_in_words(engine.url, reason)) from error


def _in_words(url: sa.URL, reason: str) -> str:
    if url.get_backend_name() == "sqlite":
        if "malformed" in reason or "not a database" in reason:
            return f"The database {url.database} is damaged ({reason}): restore it from a backup."
        if "readonly" in reason:
            return f"The database {url.database} cannot be written: let this user write to the file and its directory."
    return f"The database {url.render_as_string(hide_password=True)} does not answer as it should: {reason}."


def read(settings: "Settings") -> Keyring | None:
    """The keyring of the settings, else of the data directory's file, else None."""
    if settings.secret_keys:
        return Keyring([key.get_secret_value() for key in settings.secret_keys])
    return read_keyring(settings.data_dir / FILE)


async def _unlock(engine: AsyncEngine, settings: "Settings") -> tuple[Keyring, bytes]:
    keyring = read(settings)
    select = sa.select(secrets.c.value).where(secrets.c.name == _INDEX)
    async with engine.connect() as connection:
        sealed = await connection.scalar(select)
    if sealed is None:
        # Only a database nobody has sealed anything in may get a new keyring.
        keyring = keyring or create_keyring(Path(settings.data_dir) / FILE)
        fresh = {"name": _INDEX, "value": keyring.seal(random.token_hex(32))}
        async with engine.execution_options(sqlite_begin="BEGIN IMMEDIATE").begin() as connection:
            await connection.execute(_insert_new(engine.dialect.name).values(fresh).on_conflict_do_nothing())
            sealed = await connection.scalar(select)
    if keyring is None:
        raise KeyringError(f"This database was sealed with a keyring that is not here: {_ACTION}.")
    return keyring, _index(keyring, sealed)


def _insert_new(dialect: str) -> "PostgreSQLInsert | SQLiteInsert":
    """An INSERT that gives way to a row that is there; only the dialect in use is imported, the other costs 50 ms."""
    if dialect == "postgresql":
        from sqlalchemy.dialects.postgresql import insert as insert_into_postgresql

        return insert_into_postgresql(secrets)
    from sqlalchemy.dialects.sqlite import insert as insert_into_sqlite

    return insert_into_sqlite(secrets)


def _index(keyring: Keyring, sealed: Ciphertext | None) -> bytes:
    if sealed is None:
        raise RegistryError("The index secret could not be stored.")
    try:
        return bytes.fromhex(keyring.open(sealed))
    except KeyringError as error:
        raise KeyringError(f"The keyring does not open this database: {_ACTION}.") from error
