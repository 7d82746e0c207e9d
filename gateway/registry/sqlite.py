"""SQLite for an event loop: SQLAlchemy's engine as it is, whose statements run in threads.

SQLAlchemy's own way, aiosqlite below `sqlalchemy.ext.asyncio`, imports its ORM, which nobody here uses (decision 23).
"""

import asyncio
import os
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import sqlalchemy as sa

from gateway.registry.errors import DatabaseUnavailable
from gateway.registry.tables import SCHEMA

T = TypeVar("T")

_BUSY_SECONDS: Final = 15.0
"""How long SQLite waits for who writes."""
_ASK_AGAIN: Final = 0.01
_CONNECTIONS: Final = 5


def create_sqlite_engine(url: sa.URL) -> "SQLiteEngine":
    """An engine for the file, which is made (0600) where there is none. `DatabaseUnavailable` where that cannot be."""
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
    engine = sa.create_engine(
        url,
        creator=partial(_connect, path),
        poolclass=sa.QueuePool,
        pool_size=_CONNECTIONS,
        max_overflow=0,  # who may have one is decided before a thread is taken: see SQLiteEngine.connect
        pool_use_lifo=True,
        hide_parameters=True,
        execution_options={"schema_translate_map": {SCHEMA: None}},
    )
    sa.event.listen(engine, "begin", _begin)
    return SQLiteEngine(engine, _Threads())


class SQLiteEngine:
    """Opens connections; see `gateway.registry.connection.Engine`."""

    def __init__(self, engine: sa.Engine, threads: "_Threads") -> None:
        self.sync_engine = engine
        self.dialect = engine.dialect
        self.url = engine.url
        self._threads = threads

    def execution_options(self, **options: Any) -> "SQLiteEngine":
        """The same engine, whose connections are used in another way."""
        return SQLiteEngine(self.sync_engine.execution_options(**options), self._threads)

    @asynccontextmanager
    async def connect(self) -> AsyncIterator["SQLiteConnection"]:
        """A connection; what was not committed at the end is rolled back."""
        connection = await self._taken()
        try:
            yield connection
        finally:
            await connection.end(commit=False)

    @asynccontextmanager
    async def begin(self) -> AsyncIterator["SQLiteConnection"]:
        """A connection; what was done is committed at the end."""
        connection = await self._taken()
        done = False
        try:
            yield connection
            done = True
        finally:
            await connection.end(commit=done)

    async def _taken(self) -> "SQLiteConnection":
        await self._threads.free.acquire()
        return SQLiteConnection(self.sync_engine, self._threads)

    async def dispose(self) -> None:
        """Close every connection, when what SQLite still does for others has ended."""
        await asyncio.to_thread(self._dispose)

    def _dispose(self) -> None:
        self._threads.end()
        self.sync_engine.dispose()


class SQLiteConnection:
    """One connection, used by one task; see `gateway.registry.connection.Connection`.

    A statement that is given up goes on in its thread. Nothing else is done meanwhile: a lock keeps what is done to the
    connection apart, and the end of it comes last.
    """

    def __init__(self, engine: sa.Engine, threads: "_Threads") -> None:
        self.dialect = engine.dialect
        self._engine = engine
        self._threads = threads
        self._lock = threading.Lock()
        self._open: sa.Connection | None = None
        self._ended = False
        self._given_up = False

    async def execute(self, statement: sa.Executable, parameters: Any = None, /) -> sa.CursorResult[*tuple[Any, ...]]:
        """Run a statement; its rows are here when this returns."""
        return await self.run_sync(lambda connection: connection.execute(statement, parameters))

    async def scalar(self, statement: sa.Executable, parameters: Any = None, /) -> Any:
        """The first column of the first row; None where there is no row."""
        return await self.run_sync(lambda connection: connection.scalar(statement, parameters))

    async def scalars(self, statement: sa.Executable, parameters: Any = None, /) -> sa.ScalarResult[Any]:
        """The first column of each row."""
        return await self.run_sync(lambda connection: connection.scalars(statement, parameters))

    async def exec_driver_sql(self, statement: str, /) -> sa.CursorResult[*tuple[Any, ...]]:
        """Run a statement as it is written."""
        return await self.run_sync(lambda connection: connection.exec_driver_sql(statement))

    @asynccontextmanager
    async def stream(self, statement: sa.Executable, /) -> AsyncIterator["_Pieces"]:
        """Run a statement whose rows are too many to be taken at once."""
        yield _Pieces(await self.execute(statement))

    async def run_sync(self, fn: Callable[[sa.Connection], T], /) -> T:
        """What the function makes, in a thread, of SQLAlchemy's own connection."""
        try:
            return await self._threads.start(partial(self._run, fn))
        except asyncio.CancelledError:
            self._given_up = True
            raise

    async def end(self, *, commit: bool) -> None:
        """Let go of it. Nobody waits where a statement was given up: that may take as long as others write."""
        ending = self._threads.start(partial(self._end, commit=commit))
        ending.add_done_callback(self._threads.freed)
        if not self._given_up:
            await asyncio.shield(ending)

    def _run(self, fn: Callable[[sa.Connection], T]) -> T:
        with self._lock:
            if self._ended:
                raise sa.exc.ResourceClosedError("This connection is closed.")
            if self._open is None:
                self._open = self._engine.connect()
            return fn(self._open)

    def _end(self, *, commit: bool) -> None:
        with self._lock:
            self._ended = True
            if self._open is None:
                return
            try:
                if commit:
                    self._open.commit()
            except BaseException:
                self._open.invalidate()  # SQLite is still in the transaction, which SQLAlchemy takes for ended
                raise
            finally:
                self._open.close()


class _Pieces:
    """Rows that are here; the event loop gets a turn between so many."""

    def __init__(self, result: sa.CursorResult[*tuple[Any, ...]]) -> None:
        self._result = result

    async def partitions(self, size: int | None = None, /) -> AsyncIterator[Sequence[Any]]:
        """So many rows, again and again until there are no more."""
        for some in self._result.partitions(size):
            yield some
            await asyncio.sleep(0)


class _Threads:
    """Where statements run: one for each connection, made when it is needed."""

    def __init__(self) -> None:
        self.free = asyncio.Semaphore(_CONNECTIONS)
        self._executor = self._new()

    def start(self, work: Callable[[], T]) -> "asyncio.Future[T]":
        return asyncio.get_running_loop().run_in_executor(self._executor, work)

    def freed(self, ending: "asyncio.Future[None]") -> None:
        """A connection's end is over. Who waits for it is told what it failed with; else nobody needs to be."""
        if not ending.cancelled():
            ending.exception()
        self.free.release()

    def end(self) -> None:
        """Wait until all is done; who comes later finds new threads."""
        ended, self._executor = self._executor, self._new()
        ended.shutdown()

    @staticmethod
    def _new() -> ThreadPoolExecutor:
        return ThreadPoolExecutor(_CONNECTIONS, "sqlite")


class _Connection(sqlite3.Connection):
    """Its cursors read all rows in the thread that executes: who takes them afterwards waits for nothing."""

    def cursor(self, *arguments: Any) -> Any:
        return super().cursor(*arguments or (_Cursor,))


class _Cursor(sqlite3.Cursor):
    _rows: Iterator[Any] = iter(())

    def execute(self, *arguments: Any) -> "_Cursor":
        super().execute(*arguments)
        self._rows = iter(super().fetchall())
        return self

    def fetchone(self) -> Any:
        return next(self._rows, None)

    def fetchmany(self, size: int | None = None) -> list[Any]:
        return list(islice(self._rows, self.arraysize if size is None else size))

    def fetchall(self) -> list[Any]:
        return list(self._rows)


def _connect(path: Path) -> sqlite3.Connection:
    made = sqlite3.connect(
        path,
        # Transactions are ours (see _begin): the driver's own would not cover DDL.
        isolation_level=None,
        timeout=_BUSY_SECONDS,
        check_same_thread=False,
        factory=_Connection,
    )
    try:
        _write_ahead(made)
        made.execute("PRAGMA synchronous = NORMAL")
        made.execute("PRAGMA foreign_keys = ON")
    except BaseException:
        made.close()
        raise
    return made


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Turn the write-ahead log on.

    Of processes that open a new file at once, all read it and each wants to be the one that changes it. SQLite sees
    that no waiting could help, and tells one of them at once that the file is locked, whatever the timeout.
    """
    until = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
        time.sleep(_ASK_AGAIN)


def _begin(connection: sa.Connection) -> None:
    statement = connection.get_execution_options().get("sqlite_begin", "BEGIN")
    if statement:
        connection.exec_driver_sql(statement)


if TYPE_CHECKING:
    from gateway.registry.connection import Connection, Engine

    _: tuple[type[Engine], type[Connection]] = (SQLiteEngine, SQLiteConnection)
