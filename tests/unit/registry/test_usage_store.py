"""The table of usage: rows are added once, summed up, and deleted by age."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
import sqlalchemy as sa
from consumed import RECORD
from turns import longest_turn

from gateway.domain import Outcome, UsageRecord
from gateway.registry import UsageStore
from gateway.registry.tables import usage

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)


def record(attempt_id: str, **changes) -> UsageRecord:
    return msgspec.structs.replace(RECORD, attempt_id=attempt_id, **{"started_at": NOON.timestamp(), **changes})


@pytest.fixture
async def store(database):
    return UsageStore(database)


async def stored(database, attempt_id: str) -> dict:
    async with database.read() as connection:
        row = await connection.execute(sa.select(usage).where(usage.c.attempt_id == attempt_id))
        return dict(row.one()._mapping)


async def test_a_row_says_what_the_record_says(store, database):
    full = record(
        "a1",
        owner="11111111-1111-4111-8111-111111111111",
        model_name='Größe "7"\n\\u0000 \U0001f600',
        reason="failover",
        started_at=NOON.timestamp() + 0.123457,
        duration=1 / 3,
        outcome=Outcome.TRUNCATED,
        error_code="cut",
        provenance="partial",
        input_tokens=10**12,
        cache_read_tokens=2**40,
        cache_write_tokens=3,
        reasoning_tokens=0,
        cost=0.1 + 0.2,
    )
    await store.add([full])
    row = await stored(database, "a1")
    assert row.pop("started_at") == NOON + timedelta(microseconds=123457)
    said = msgspec.structs.asdict(full)
    said |= {"user_id": said.pop("owner"), "outcome": "truncated"}
    del said["started_at"]
    assert row == said


async def test_what_a_record_does_not_know_is_null(store, database):
    await store.add([record("a1", first_content=None, status=None, input_tokens=None, finish_reason=None, cost=None)])
    row = await stored(database, "a1")
    unknown = {"user_id", "first_content", "status", "error_code", "input_tokens", "finish_reason", "cost"}
    unknown |= {"cache_read_tokens", "cache_write_tokens", "reasoning_tokens"}
    assert {name for name, value in row.items() if value is None} == unknown


async def test_records_cost_the_event_loop_no_code_of_python(store):
    """While a batch is written, chunks of all streams wait: what was done for each record took 10 ms for 400."""
    await store.add([record("a")])
    few = await longest_turn(store.add([record("b")]))
    many = await longest_turn(store.add([record(f"c{number}") for number in range(1001)]))
    assert many - few < 500


async def test_an_attempt_is_counted_once_however_often_it_comes(store):
    await store.add([record("a1"), record("a2"), record("a1")])
    await store.add([record("a2", input_tokens=999), record("a3")])
    (total,) = await store.sums("model")
    assert (total.group, total.attempts, total.input_tokens, total.output_tokens) == ("gpt", 3, 300, 30)
    assert total.cost == pytest.approx(0.75)


async def test_what_is_not_known_is_told_and_not_added_as_nothing(store):
    unknown = {"input_tokens": None, "output_tokens": None, "cost": None, "provenance": "none"}
    await store.add(
        [
            record("a1"),
            record("a2", cost=None),
            record("a3", **unknown),
            record("a4", outcome=Outcome.UPSTREAM_ERROR, **unknown),
        ]
    )
    (total,) = await store.sums("model")
    assert (total.attempts, total.cost, total.unpriced, total.uncounted) == (4, 0.25, 1, 1)


async def test_usage_is_summed_up_by_what_is_asked(store):
    await store.add(
        [
            record("a1", owner="11111111-1111-4111-8111-111111111111", outcome=Outcome.LOST),
            record("a2", provider="anthropic", principal_id="other", route="slow", cost=0.75),
            record("a3", started_at=(NOON - timedelta(days=1)).timestamp()),
        ]
    )
    assert [total.group for total in await store.sums("provider")] == ["anthropic", "openai"]
    assert {total.group: total.attempts for total in await store.sums("key")} == {"key": 2, "other": 1}
    assert {total.group: total.attempts for total in await store.sums("route")} == {"fast": 2, "slow": 1}
    assert {total.group for total in await store.sums("owner")} == {"11111111-1111-4111-8111-111111111111", None}
    assert {total.group: total.attempts for total in await store.sums("outcome")} == {"ok": 2, "lost": 1}
    assert [total.group for total in await store.sums("day")] == ["2026-11-25", "2026-11-26"]


async def test_a_span_of_time_has_its_beginning_and_not_its_end(store):
    await store.add([record("a1"), record("a2", started_at=(NOON + timedelta(hours=1)).timestamp())])
    (total,) = await store.sums("model", since=NOON, until=NOON + timedelta(hours=1))
    assert total.attempts == 1
    assert await store.sums("model", since=NOON + timedelta(hours=2)) == []


async def test_old_rows_are_deleted_when_asked(store):
    await store.add([record("a1"), record("a2", started_at=(NOON + timedelta(hours=1)).timestamp())])
    assert await store.prune(NOON + timedelta(minutes=1)) == 1
    (total,) = await store.sums("model")
    assert total.attempts == 1


async def test_no_records_are_no_statement(store):
    await store.add([])
    assert await store.sums("model") == []


async def test_what_a_database_cannot_hold_keeps_nothing_else_out(store, database):
    await store.add([record("a1", error_code="a\0b", finish_reason="\0"), record("a2", error_code="\\u0000")])
    (total,) = await store.sums("model")
    assert total.attempts == 2
    first, second = await stored(database, "a1"), await stored(database, "a2")
    assert (first["error_code"], first["finish_reason"], second["error_code"]) == ("a\ufffdb", "\ufffd", "\\u0000")
