"""The store of usage: records of attempts are added once, and summed up."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Literal, TypeAlias

import msgspec
import sqlalchemy as sa

from gateway.domain import UsageRecord
from gateway.registry.database import Database, insert_new
from gateway.registry.tables import usage

Group: TypeAlias = Literal["model", "provider", "route", "key", "owner", "outcome", "day"]
GROUPS: Final[Mapping[Group, sa.ColumnElement[Any]]] = {
    "model": usage.c.model_name,
    "provider": usage.c.provider,
    "route": usage.c.route,
    "key": usage.c.principal_id,
    "owner": usage.c.user_id,
    "outcome": usage.c.outcome,
    "day": sa.func.date(usage.c.started_at),
}
"""What usage can be summed up by."""

_NUL: Final = rb"\u0000"
"""In JSON. PostgreSQL's text holds none, and an upstream may put one into its error code: one row would hold up all."""
_encode: Final = msgspec.json.Encoder().encode


class Sum(msgspec.Struct, frozen=True, kw_only=True):
    """What a group of attempts consumed."""

    group: str | None
    attempts: int
    input_tokens: int
    output_tokens: int
    cost: float
    """US dollars, of the attempts whose cost is known."""
    unpriced: int
    """Attempts with tokens whose cost is not known."""
    uncounted: int
    """Attempts that answered, of which nobody reported or could estimate tokens."""


class UsageStore:
    """Reads and writes the table of usage."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, records: Sequence[UsageRecord]) -> None:
        """Store the records; one whose attempt is there already is left as it is."""
        if not records:
            return
        async with self._database.change() as connection:
            insert = insert_new(connection.dialect.name, usage).on_conflict_do_nothing()
            await connection.execute(insert, [_row(record) for record in records])

    async def sums(self, by: Group, *, since: datetime | None = None, until: datetime | None = None) -> list[Sum]:
        """What was consumed between two times, by group; the dearest first, days in order."""
        group = GROUPS[by].label("label")
        counted = usage.c.input_tokens.is_not(None) | usage.c.output_tokens.is_not(None)
        statement = sa.select(
            group,
            sa.func.count().label("attempts"),
            sa.func.coalesce(sa.func.sum(usage.c.input_tokens), 0).label("input_tokens"),
            sa.func.coalesce(sa.func.sum(usage.c.output_tokens), 0).label("output_tokens"),
            sa.func.coalesce(sa.func.sum(usage.c.cost), 0.0).label("cost"),
            _count(counted & usage.c.cost.is_(None)).label("unpriced"),
            _count(sa.not_(counted) & usage.c.outcome.in_(("ok", "truncated", "client_abort"))).label("uncounted"),
        ).group_by(group)
        if since is not None:
            statement = statement.where(usage.c.started_at >= since)
        if until is not None:
            statement = statement.where(usage.c.started_at < until)
        order: Sequence[Any] = (group,) if by == "day" else (sa.desc("cost"), sa.desc("attempts"), group)
        async with self._database.read() as connection:
            rows = (await connection.execute(statement.order_by(*order))).all()
        return [_sum(row) for row in rows]

    async def prune(self, before: datetime) -> int:
        """Delete the rows of attempts that began earlier; how many there were."""
        async with self._database.change() as connection:
            deleted = await connection.execute(sa.delete(usage).where(usage.c.started_at < before))
        return deleted.rowcount


def _count(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
    return sa.func.coalesce(sa.func.sum(sa.case((condition, 1), else_=0)), 0)


def _sum(row: sa.Row[Any]) -> Sum:
    return Sum(
        group=None if row.label is None else str(row.label),
        attempts=row.attempts,
        input_tokens=int(row.input_tokens),
        output_tokens=int(row.output_tokens),
        cost=float(row.cost),
        unpriced=int(row.unpriced),
        uncounted=int(row.uncounted),
    )


def _row(record: UsageRecord) -> dict[str, Any]:
    row = msgspec.structs.asdict(record)
    if _NUL in _encode(record):  # one look at all of it costs less than one at each
        row = {name: said.replace("\0", "\ufffd") if isinstance(said, str) else said for name, said in row.items()}
    row["user_id"] = row.pop("owner")
    row["started_at"] = datetime.fromtimestamp(record.started_at, UTC)
    row["outcome"] = record.outcome.value
    return row
