"""The store of usage: records of attempts are added once, and summed up."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import msgspec
import sqlalchemy as sa

from gateway.domain import UsageRecord
from gateway.registry.database import Database, insert_new
from gateway.registry.tables import usage

if TYPE_CHECKING:
    from sqlalchemy.dialects.postgresql import Insert as PostgreSQLInsert
    from sqlalchemy.dialects.sqlite import Insert as SQLiteInsert

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
_RECORDS: Final = sa.bindparam("records", type_=sa.Text)
_SAID: Final[Mapping[str, str]] = {column.name: column.name for column in usage.c} | {"user_id": "owner"}
"""What a record calls what each column holds."""


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
        # One parameter, which the database takes apart: SQLAlchemy's rows would hold the event loop up for 25 us each.
        async with self._database.change() as connection:
            dialect = connection.dialect.name
            await connection.execute(_adding(dialect), {"records": _told(records, dialect)})

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


def _told(records: Sequence[UsageRecord], dialect: str) -> str:
    """The records as `_adding` takes them."""
    told = _written(records, dialect)
    if _NUL in told:
        told = _written([_without_nul(record) for record in records], dialect)
    return told.decode()


def _written(records: Sequence[UsageRecord], dialect: str) -> bytes:
    # PostgreSQL takes objects apart by their names, in one go; SQLite finds a value sooner by its place in a list.
    return _encode(records if dialect == "postgresql" else [msgspec.structs.astuple(record) for record in records])


def _without_nul(record: UsageRecord) -> UsageRecord:
    said = msgspec.structs.asdict(record).items()
    clean = {name: value.replace("\0", "\ufffd") for name, value in said if type(value) is str}
    return msgspec.structs.replace(record, **clean)


@lru_cache(maxsize=2)
def _adding(dialect: str) -> "PostgreSQLInsert | SQLiteInsert":
    """The statement that adds what one parameter holds, and leaves what is there as it is."""
    rows = _of_postgresql() if dialect == "postgresql" else _of_sqlite()
    return insert_new(dialect, usage).from_select([column.name for column in usage.c], rows).on_conflict_do_nothing()


def _of_postgresql() -> sa.Select[Any]:
    time = usage.c.started_at
    columns = [sa.column(_SAID[column.name], sa.Float() if column is time else column.type) for column in usage.c]
    told = sa.func.json_to_recordset(sa.cast(_RECORDS, sa.JSON)).table_valued(*columns)
    told = told.render_derived(name="told", with_types=True)
    said = {name: told.c[said] for name, said in _SAID.items()}
    return sa.select(*{**said, "started_at": sa.func.to_timestamp(told.c.started_at)}.values())


def _of_sqlite() -> sa.Select[Any]:
    told = sa.func.json_each(_RECORDS).table_valued("value")
    places = {name: UsageRecord.__struct_fields__.index(said) for name, said in _SAID.items()}
    said = {name: sa.func.json_extract(told.c.value, f"$[{place}]") for name, place in places.items()}
    # As SQLAlchemy writes a time: with microseconds, which SQLite itself does not know.
    micros = sa.cast(sa.func.round(said["started_at"] * 1_000_000), sa.BigInteger)
    second = sa.func.datetime(micros.op("/")(1_000_000), "unixepoch")
    started_at = second.concat(sa.func.printf(".%06d", micros % 1_000_000))
    # Without a condition SQLite would take ON CONFLICT for one of a join.
    return sa.select(*{**said, "started_at": started_at}.values()).where(sa.true())
