"""The way to the database: one address in, one SQLAlchemy engine out, the same for SQLite and PostgreSQL."""

import asyncio
import os
import threading
import weakref
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from gateway.registry.errors import DatabaseUnavailable
from gateway.registry.tables import SCHEMA

_LINGER = 2.0
"""Seconds for a thread to end that was told to."""
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
        opening = aiosqlite.connect(path, isolation_level=None, timeout=15, check_same_thread=False)
        opening._thread.daemon = True  # as SQLAlchemy does: nobody's exit waits for a statement
        threads.add(opening._thread)
        try:
            return await opening
        except BaseException:
            opening.stop()
            raise

    engine = create_async_engine(
        url,
        # Transactions are ours (see _begin): the driver's own (`isolation_level`) would not cover DDL.
        async_creator=connect,
        hide_parameters=True,
        execution_options={"schema_translate_map": {SCHEMA: None}, "sqlite_threads": threads},
    )
    sa.event.listen(engine.sync_engine, "connect", _prepare)
    sa.event.listen(engine.sync_engine, "begin", _begin)
    return engine


async def close(engine: AsyncEngine) -> None:
    """Close all connections.

    What SQLite was doing when it was cancelled goes on in a thread, which reports to the event loop: its end is waited
    for, so that there still is one.
    """
    await engine.dispose()
    threads: weakref.WeakSet[threading.Thread] = engine.get_execution_options().get("sqlite_threads", weakref.WeakSet())
    for thread in tuple(threads):
        if thread.is_alive():
            await asyncio.to_thread(thread.join, _LINGER)


def _prepare(connection: Any, record: object) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA busy_timeout = 15000")
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = NORMAL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _begin(connection: sa.Connection) -> None:
    statement = connection.get_execution_options().get("sqlite_begin", "BEGIN")
    if statement:
        connection.exec_driver_sql(statement)
