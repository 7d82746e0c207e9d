"""Reads the tables from Chatbot UI's PostgreSQL itself."""

from collections.abc import Collection
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from gateway.cli.endings import Failed, Wrong
from gateway.cli.importing.findings import Raw, Tables
from gateway.cli.importing.progress import Bars
from gateway.registry import DatabaseUnavailable
from gateway.registry.engine import parse_url
from gateway.registry.postgres import create_postgres_engine

if TYPE_CHECKING:
    from sqlalchemy.engine import URL
    from sqlalchemy.ext.asyncio import AsyncConnection


_BATCH: Final = 500
_WHY: Final = {
    "42P01": "it has no such table: is this Chatbot UI's database?",
    "42501": "this role may not read all rows: use the role `postgres` of the project",
}


def source_url(address: str) -> "URL":
    """The address, parsed."""
    try:
        return parse_url(address)
    except DatabaseUnavailable as error:
        raise Wrong("The PostgreSQL address cannot be parsed: write postgresql://user@host:5432/postgres.") from error


async def read_postgres(url: "URL", tables: Collection[str], bars: Bars) -> Tables:
    """The rows of these tables as they are at one moment, nothing written."""
    engine = create_postgres_engine(url)
    try:
        async with engine.connect() as plain:
            connection = await plain.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            # A role that row-level security holds would see less than there is, and no word of it; so it is told.
            await connection.execute(sa.select(sa.func.set_config("row_security", "off", sa.true())))
            return {table: await _read(connection, table, bars) for table in tables}
    except DatabaseUnavailable as error:
        raise Failed(f"The source cannot be reached: {_first_line(error.__cause__ or error)}.") from error
    except (SQLAlchemyError, OSError) as error:
        original = error.orig if isinstance(error, DBAPIError) else error
        code = str(getattr(original, "sqlstate", None))
        raise Failed(f"The source cannot be read: {_WHY.get(code, _first_line(original or error))}.") from error
    finally:
        await engine.dispose()


async def _read(connection: "AsyncConnection", table: str, bars: Bars) -> list[Raw]:
    told = bars.step(f"Reading {table}")
    source = sa.table(table, sa.column("id"), schema="public")
    statement: sa.Select[Any] = sa.select(sa.literal_column("*")).select_from(source).order_by(source.c.id)
    rows: list[Raw] = []
    result = await connection.stream(statement)
    async for batch in result.mappings().partitions(_BATCH):
        rows += (Raw(f"row {number}", dict(row)) for number, row in enumerate(batch, len(rows) + 1))
        told(len(batch))
    return rows


def _first_line(error: BaseException) -> str:
    text = str(error).partition("\n")[0] or type(error).__name__
    return text.rpartition("'>: ")[2].rstrip(".")
