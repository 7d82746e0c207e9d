"""The open database: engine, keyring and index secret together, checked against each other."""

import logging
import re
import secrets as random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from gateway.registry import migrations
from gateway.registry.columns import Ciphertext
from gateway.registry.connection import Connection, Engine
from gateway.registry.declared import Declared, declared
from gateway.registry.engine import create_engine, parse_url
from gateway.registry.errors import DatabaseUnavailable, KeyringError, RegistryError
from gateway.registry.keyfile import NAME, create_keyring, read_keyring, stamp
from gateway.registry.keyring import Keyring
from gateway.registry.tables import secrets

if TYPE_CHECKING:
    from sqlalchemy.dialects.postgresql import Insert as PostgreSQLInsert
    from sqlalchemy.dialects.sqlite import Insert as SQLiteInsert

    from gateway.settings import Settings

_log = logging.getLogger("gateway.registry")
_INDEX: Final = "index"
_LOCK: Final = 0x7365616C  # spells "seal": held together by all who seal, alone by who changes the keyring
_ACTION: Final = (
    "restore the keyring file of the data directory, or set GATEWAY_SECRET_KEYS to the keys this database was made with"
)

_CLASS: Final = re.compile(r"^<class '[^']*'>: ")
"""How SQLAlchemy begins the text of every asyncpg error."""


class Database:
    """What stores and snapshots work with; close it."""

    __slots__ = ("_settings", "declared", "engine", "index", "keyring", "keyring_file", "keyring_stamp")

    def __init__(
        self, engine: Engine, keyring: Keyring, index: bytes, settings: "Settings", declared: Declared
    ) -> None:
        self.engine = engine
        self.keyring = keyring
        self.index = index
        """The secret virtual keys are stored under."""
        self.keyring_file = None if settings.secret_keys else Path(settings.data_dir) / NAME
        """Where the keyring lies; None when it comes from the settings."""
        self.keyring_stamp: tuple[int, ...] | None = None
        """Changes when the file does and `follow_keyring` has taken it up."""
        self.declared = declared
        """The models and routes that stand in the settings."""
        self._settings = settings

    @classmethod
    async def open(cls, settings: "Settings") -> "Database":
        """Open, migrate where that is allowed and needed, and see that the keyring is this database's.

        Makes keyring and index secret on the very first start. Raises `RegistryError` with the way out.
        """
        said = declared(settings)
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
        return cls(engine, keyring, index, settings, said)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Connection]:
        """One transaction that sees one state of the database."""
        engine = self.engine
        if engine.dialect.name == "postgresql":
            engine = engine.execution_options(isolation_level="REPEATABLE READ")
        async with reaching(engine), engine.connect() as connection:
            yield connection

    @asynccontextmanager
    async def change(self) -> AsyncIterator[Connection]:
        """One writing transaction, committed at the end."""
        engine = self.engine.execution_options(sqlite_begin="BEGIN IMMEDIATE")
        async with reaching(self.engine), engine.begin() as connection:
            yield connection

    @asynccontextmanager
    async def sealing(self) -> AsyncIterator[Connection]:
        """A writing transaction for values that are sealed inside it: by the newest key, which stays in the keyring."""
        async with self.change() as connection:
            await self._lock_keys(connection, sa.func.pg_advisory_xact_lock_shared(_LOCK))
            self._take_up()
            yield connection

    @asynccontextmanager
    async def changing_keys(self) -> AsyncIterator[Connection]:
        """A writing transaction while nobody else seals: for changes of the keyring, and of many values at once."""
        async with self.change() as connection:
            await self._lock_keys(connection, sa.func.pg_advisory_xact_lock(_LOCK))
            self._take_up()
            yield connection

    async def _lock_keys(self, connection: Connection, lock: sa.Function[None]) -> None:
        if self.engine.dialect.name == "postgresql":  # SQLite has one writer at a time anyway
            await connection.execute(sa.select(lock))

    async def ping(self) -> None:
        """Raise `DatabaseUnavailable` when the database does not answer."""
        async with reaching(self.engine), self.engine.connect() as connection:
            await connection.execute(sa.select(1))

    def follow_keyring(self) -> None:
        """Take up a keyring file that was changed while we run; what opened before goes on opening."""
        found = self._stamp()
        if found == self.keyring_stamp:
            return
        self.keyring_stamp = found
        try:
            self._take_up()
        except KeyringError as error:
            _log.error("The keyring as it was is used on: %s", error)

    def _take_up(self) -> None:
        self.keyring = (read(self._settings) or self.keyring).and_before(self.keyring)

    def _stamp(self) -> tuple[int, ...] | None:
        return stamp(self.keyring_file) if self.keyring_file is not None else None

    async def aclose(self) -> None:
        """Close all connections."""
        await self.engine.dispose()


@asynccontextmanager
async def reaching(engine: Engine) -> AsyncIterator[None]:
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
    return read_keyring(settings.data_dir / NAME)


async def _unlock(engine: Engine, settings: "Settings") -> tuple[Keyring, bytes]:
    keyring = read(settings)
    select = sa.select(secrets.c.value).where(secrets.c.name == _INDEX)
    async with engine.connect() as connection:
        sealed = await connection.scalar(select)
    if sealed is None:
        # Only a database nobody has sealed anything in may get a new keyring.
        keyring = keyring or create_keyring(Path(settings.data_dir) / NAME)
        fresh = {"name": _INDEX, "value": keyring.seal(random.token_hex(32))}
        async with engine.execution_options(sqlite_begin="BEGIN IMMEDIATE").begin() as connection:
            await connection.execute(insert_new(engine.dialect.name, secrets).values(fresh).on_conflict_do_nothing())
            sealed = await connection.scalar(select)
    # Between our two looks another process may have made both, at its first start.
    keyring = keyring or read(settings)
    if keyring is None:
        raise KeyringError(f"This database was sealed with a keyring that is not here: {_ACTION}.")
    try:
        return keyring, _index(keyring, sealed)
    except KeyringError:
        # Between our two looks the keyring may have been rotated, and the secret sealed anew.
        keyring = read(settings) or keyring
        return keyring, _index(keyring, sealed)


def insert_new(dialect: str, table: sa.Table) -> "PostgreSQLInsert | SQLiteInsert":
    """An INSERT that can give way to a row that is there; only the dialect in use is imported: 50 ms each."""
    if dialect == "postgresql":
        from sqlalchemy.dialects.postgresql import insert as insert_into_postgresql

        return insert_into_postgresql(table)
    from sqlalchemy.dialects.sqlite import insert as insert_into_sqlite

    return insert_into_sqlite(table)


def _index(keyring: Keyring, sealed: Ciphertext | None) -> bytes:
    if sealed is None:
        raise RegistryError("The index secret could not be stored.")
    try:
        return bytes.fromhex(keyring.open(sealed))
    except KeyringError as error:
        raise KeyringError(f"The keyring does not open this database: {_ACTION}.") from error
