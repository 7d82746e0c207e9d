"""What the registry needs of an engine: SQLAlchemy's asyncio for PostgreSQL, and ours for SQLite, are two of them."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, TypeVar

import sqlalchemy as sa

T = TypeVar("T")


class Pieces(Protocol):
    """Rows that are fetched some at a time."""

    def partitions(self, size: int | None = None, /) -> AsyncIterator[Sequence[Any]]:
        """So many rows, again and again until there are no more."""
        ...


class Connection(Protocol):
    """A connection of which one task makes use; it begins a transaction with the first statement.

    The methods are those of SQLAlchemy's `AsyncConnection`.
    """

    @property
    def dialect(self) -> sa.Dialect:
        """SQLAlchemy's dialect; its `name` is `sqlite` or `postgresql`."""
        ...

    async def execute(self, statement: sa.Executable, parameters: Any = None, /) -> sa.CursorResult[*tuple[Any, ...]]:
        """Run a statement; its rows are here when this returns."""
        ...

    async def scalar(self, statement: sa.Executable, parameters: Any = None, /) -> Any:
        """The first column of the first row; None where there is no row."""
        ...

    async def scalars(self, statement: sa.Executable, parameters: Any = None, /) -> sa.ScalarResult[Any]:
        """The first column of each row."""
        ...

    async def exec_driver_sql(self, statement: str, /) -> sa.CursorResult[*tuple[Any, ...]]:
        """Run a statement as it is written."""
        ...

    def stream(self, statement: sa.Executable, /) -> AbstractAsyncContextManager[Pieces]:
        """Run a statement whose rows are too many to be taken at once."""
        ...

    async def run_sync(self, fn: Callable[[sa.Connection], T], /) -> T:
        """What the function makes of SQLAlchemy's own connection."""
        ...


class Engine(Protocol):
    """Opens connections, and keeps them for the next one who needs one. The methods are those of `AsyncEngine`."""

    @property
    def dialect(self) -> sa.Dialect:
        """SQLAlchemy's dialect; its `name` is `sqlite` or `postgresql`."""
        ...

    @property
    def url(self) -> sa.URL:
        """Where the database is."""
        ...

    @property
    def sync_engine(self) -> sa.Engine:
        """SQLAlchemy's own engine, which has the events."""
        ...

    def connect(self) -> AbstractAsyncContextManager[Connection]:
        """A connection; what was not committed at the end is rolled back."""
        ...

    def begin(self) -> AbstractAsyncContextManager[Connection]:
        """A connection; what was done is committed at the end."""
        ...

    def execution_options(self, **options: Any) -> "Engine":
        """The same engine, whose connections are used in another way."""
        ...

    async def dispose(self) -> None:
        """Close every connection that nobody uses."""
        ...
