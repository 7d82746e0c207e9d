"""What is left when it is over: rows, secrets where none may be, lines that no log may hold."""

from collections.abc import Iterable

import sqlalchemy as sa
from chaos_history import Row

from gateway.registry import Database
from gateway.registry.tables import metadata, usage

FORBIDDEN = (
    "Traceback",
    "internal_error",
    "Exception in ASGI application",
    "never retrieved",
    "never awaited",
    "half a set",
    "usage_lost",
    "usage_unwritable",
    "usage_given_up",
    "usage_journal_unreadable",
    "usage_journal_failing",
)
"""What no fault that is expected may lead to."""


class Secrets:
    """Looks for secrets in what comes out."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets = [secret.encode() for secret in secrets]
        self.found: list[str] = []
        """Which secret was where; shortened, because this is printed."""

    def look(self, place: str, data: bytes) -> None:
        """Look at some of it."""
        self.found += [f"{secret[:8]!r}... is in {place}" for secret in self._secrets if secret in data]


def forbidden(log: str, server: int) -> list[str]:
    """The lines of a log that should not be, each with the last of its traceback."""
    lines = log.splitlines()
    return [
        f"server {server}, line {number}: {line[:300]}"
        for number, line in enumerate(lines, 1)
        if any(word in line for word in FORBIDDEN)
    ]


async def rows_of(database: Database) -> list[Row]:
    """All rows of the usage."""
    columns = usage.c
    chosen = sa.select(
        columns.attempt_id.label("attempt"),
        columns.exchange_id.label("exchange"),
        columns.number,
        columns.model_name.label("model"),
        columns.outcome,
        columns.error_code.label("error"),
        columns.duration,
    )
    async with database.read() as connection:
        return [Row(**row._mapping) for row in (await connection.execute(chosen)).all()]


async def database_text(database: Database) -> bytes:
    """Every value of every table, as text."""
    told = []
    async with database.read() as connection:
        for table in metadata.sorted_tables:
            told += [repr(tuple(row)) for row in (await connection.execute(sa.select(table))).all()]
    return "\n".join(told).encode("utf-8", "replace")
