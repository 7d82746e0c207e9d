"""The way to the database: one address in, one SQLAlchemy engine out, the same for SQLite and PostgreSQL."""

import asyncio
import os
import threading
import time
import weakref
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from gateway.registry.errors import DatabaseUnavailable
from gateway.registry.tables import SCHEMA

if TYPE_CHECKING:
    import sqlite3

    import aiosqlite

_BUSY_SECONDS = 15.0
"""How long SQLite waits for who writes."""
_ASK_AGAIN = 0.01
_LINGER = 2 * _BUSY_SECONDS
"""Seconds for a thread to end that was told to: what it does may have to wait for who writes."""
_DRIVERS = {"sqlite": "sqlite+aiosqlite", "postgresql": "postgresql+asyncpg", "postgres": "postgresql+asyncpg"}


def parse_url(url: str) -> URL:
    """The address with its async driver; `DatabaseUnavailable` for one we cannot use."""
    try:
        parsed = make_url(url.strip())
        if not 0 < (parsed.port or 1) < 65536:
            raise ValueError
    except (ArgumentError, ValueError) as error:
        raise DatabaseUnavailable(
            "The database URL cannot be parsed: write sqlite+aiosqlite:///path or postgresql+asyncpg://user@host/name."
        ) from error
    driver = _DRIVERS.get(parsed.drivername, parsed.drivername)
    if driver not in _DRIVERS.values():
        raise DatabaseUnavailable(
            f"The database URL's scheme {parsed.drivername!r} is not supported: "
            "use sqlite+aiosqlite:// or postgresql+asyncpg://."
        )
    if driver.startswith("sqlite") and (not parsed.database or parsed.database == ":memory:"):
        raise DatabaseUnavailable("The registry needs a SQLite file: write sqlite+aiosqlite:///path/to/gateway.db.")
    return parsed.set(drivername=driver)


def create_engine(url: URL) -> AsyncEngine:
    """An engine for that address; nothing is opened yet but a SQLite file is made (0600) where there is none."""
    if url.get_backend_name() == "sqlite":
        return _sqlite(url)
    # Imported here: asyncpg costs 0.1 s and SQLite's users do not need it.
    from gateway.registry.postgres import connect_options

    options = connect_options(url)
    return create_async_engine(
        url.set(query={}),
        connect_args=options,
        hide_parameters=True,
        pool_pre_ping=True,
        pool_recycle=1800,
        pool_size=5,
        max_overflow=5,
        pool_timeout=10,
    )


class _Embedded(AsyncEngine):
    """SQLite's engine, which is disposed of when its threads have ended.

    What SQLite was doing when it was given up goes on in a thread, which reports to the event loop: there must still
    be one.
    """

    __slots__ = ("_threads",)

    def __init__(self, engine: sa.Engine, threads: "weakref.WeakSet[threading.Thread]") -> None:
        super().__init__(engine)
        self._threads = threads

    async def dispose(self, close: bool = True) -> None:
        await super().dispose(close)
        for thread in tuple(self._threads):
            if thread.is_alive():
                await asyncio.to_thread(thread.join, _LINGER)


class _Opened:
    """Opens SQLite's file in a connection's thread. aiosqlite forgets what is open when its caller has left."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._made: sqlite3.Connection | None = None
        self._given_up = False

    def __call__(self) -> "sqlite3.Connection":
        import sqlite3

        made = self._made = sqlite3.connect(
            self._path, isolation_level=None, timeout=_BUSY_SECONDS, check_same_thread=False
        )
        if self._given_up:
            made.close()
        return made

    def give_up(self) -> None:
        """Close it, or let the thread do it: one of the two sees what the other did."""
        self._given_up = True
        if self._made is not None:
            self._made.close()


def _sqlite(url: URL) -> AsyncEngine:
    path = Path(url.database or "")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Made here so that it is never readable by others; -wal and -shm inherit the mode.
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        raise DatabaseUnavailable(
            f"The database {path} cannot be opened ({error.strerror}): set GATEWAY_DATA_DIR to a directory "
            "this user may write to, or GATEWAY_DATABASE_URL to another database."
        ) from error
    # Imported here: PostgreSQL's users do not need it.
    import aiosqlite

    threads: weakref.WeakSet[threading.Thread] = weakref.WeakSet()

    async def connect() -> aiosqlite.Connection:
        opened = _Opened(path)
        opening = aiosqlite.Connection(opened, iter_chunk_size=64)
        opening._thread.daemon = True  # as SQLAlchemy does: nobody's exit waits for a statement
        threads.add(opening._thread)
        try:
            connection = await opening
        except BaseException:
            opened.give_up()
            raise
        try:
            await _prepare(connection)
        except BaseException:
            opening.stop()
            raise
        return connection

    engine = create_async_engine(
        url,
        # Transactions are ours (see _begin): the driver's own (`isolation_level`) would not cover DDL.
        async_creator=connect,
        hide_parameters=True,
        execution_options={"schema_translate_map": {SCHEMA: None}},
    ).sync_engine
    sa.event.listen(engine, "begin", _begin)
    return _Embedded(engine, threads)


async def _prepare(connection: "aiosqlite.Connection") -> None:
    await connection.execute(f"PRAGMA busy_timeout = {_BUSY_SECONDS * 1000:.0f}")
    await _write_ahead(connection)
    await connection.execute("PRAGMA synchronous = NORMAL")
    await connection.execute("PRAGMA foreign_keys = ON")


async def _write_ahead(connection: "aiosqlite.Connection") -> None:
    """Turn the write-ahead log on.

    Of processes that open a new file at once, all read it and each wants to be the one that changes it. SQLite sees
    that no waiting could help, and tells one of them at once that the file is locked, whatever the timeout.
    """
    import sqlite3

    until = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            await connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
        await asyncio.sleep(_ASK_AGAIN)


def _begin(connection: sa.Connection) -> None:
    statement = connection.get_execution_options().get("sqlite_begin", "BEGIN")
    if statement:
        connection.exec_driver_sql(statement)
