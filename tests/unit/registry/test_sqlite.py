"""SQLite's engine: what callers see of the threads its statements run in."""

import asyncio
import random
import sqlite3
import threading
from contextlib import AsyncExitStack

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError, ResourceClosedError

from gateway.registry.engine import create_engine, parse_url

WRITING = {"sqlite_begin": "BEGIN IMMEDIATE"}
TABLES = """
PRAGMA journal_mode = WAL;
CREATE TABLE kinds (name TEXT PRIMARY KEY);
CREATE TABLE things (name TEXT, kind TEXT REFERENCES kinds (name) DEFERRABLE INITIALLY DEFERRED);
"""


@pytest.fixture
async def engine(tmp_path):
    before = threading.active_count()
    with sqlite3.connect(tmp_path / "registry.db") as made:
        made.executescript(TABLES)
    made.close()
    engine = create_engine(parse_url(f"sqlite:///{tmp_path}/registry.db"))
    yield engine
    await engine.dispose()
    assert threading.active_count() <= before + 1  # the loop's own, which waited for them


@pytest.fixture
def writer(tmp_path):
    """Another program's connection."""
    other = sqlite3.connect(tmp_path / "registry.db", isolation_level=None)
    yield other
    other.close()


def things(tmp_path) -> list[str]:
    other = sqlite3.connect(tmp_path / "registry.db")
    try:
        return [name for (name,) in other.execute("SELECT name FROM things ORDER BY name")]
    finally:
        other.close()


async def add(engine, name: str) -> None:
    async with engine.execution_options(**WRITING).begin() as connection:
        await connection.execute(sa.text("INSERT INTO things (name) VALUES (:name)"), {"name": name})


async def test_what_is_done_is_committed_at_the_end_and_not_before(engine, tmp_path):
    async with engine.execution_options(**WRITING).begin() as connection:
        await connection.exec_driver_sql("INSERT INTO things (name) VALUES ('one')")
        assert things(tmp_path) == []
    assert things(tmp_path) == ["one"]


async def test_what_fails_and_what_was_only_looked_at_is_rolled_back(engine, tmp_path):
    with pytest.raises(ZeroDivisionError):
        async with engine.begin() as connection:
            await connection.exec_driver_sql("INSERT INTO things (name) VALUES ('one')")
            raise ZeroDivisionError
    async with engine.connect() as connection:
        await connection.exec_driver_sql("INSERT INTO things (name) VALUES ('two')")
    await add(engine, "three")
    assert things(tmp_path) == ["three"]


async def test_a_commit_that_fails_is_told_and_its_connection_goes_on(engine, tmp_path):
    for _ in range(10):  # twice as many as there are connections
        with pytest.raises(IntegrityError):
            async with engine.begin() as connection:
                await connection.exec_driver_sql("INSERT INTO things (name, kind) VALUES ('one', 'unknown')")
    await add(engine, "two")
    assert things(tmp_path) == ["two"]


async def test_rows_are_here_when_the_statement_returns(engine):
    for name in "abc":
        await add(engine, name)
    async with engine.connect() as connection:
        rows = await connection.exec_driver_sql("SELECT name FROM things ORDER BY name")
        async with connection.stream(sa.text("SELECT name FROM things ORDER BY name")) as pieces:
            some = [[name for (name,) in piece] async for piece in pieces.partitions(2)]
        assert await connection.scalar(sa.text("SELECT count(*) FROM things")) == 3
    assert rows.scalars().all() == ["a", "b", "c"]
    assert some == [["a", "b"], ["c"]]


@pytest.mark.parametrize("used", [False, True])
async def test_a_connection_is_of_no_use_after_its_end(used, engine):
    async with engine.connect() as connection:
        if used:
            await connection.scalar(sa.text("SELECT 1"))
    with pytest.raises(ResourceClosedError):
        await connection.scalar(sa.text("SELECT 1"))


async def test_the_loop_goes_on_while_sqlite_waits_for_who_writes(engine, writer, tmp_path):
    writer.execute("BEGIN IMMEDIATE")
    adding = asyncio.create_task(add(engine, "late"))
    async with engine.connect() as connection:  # who only reads waits for nobody
        assert await connection.scalar(sa.text("SELECT count(*) FROM things")) == 0
    assert not adding.done()
    writer.execute("COMMIT")
    await adding
    assert things(tmp_path) == ["late"]


async def test_who_gives_up_waits_no_more_and_leaves_nothing_behind(engine, writer, tmp_path):
    writer.execute("BEGIN IMMEDIATE")
    adding = asyncio.create_task(add(engine, "given up"))
    async with engine.connect() as connection:
        await connection.scalar(sa.text("SELECT 1"))
    adding.cancel()
    await asyncio.wait([adding], timeout=10)  # SQLite itself waits longer
    assert adding.cancelled()
    assert writer.in_transaction  # it was over before the other one was
    writer.execute("COMMIT")
    await add(engine, "next")
    assert things(tmp_path) == ["next"]


async def test_everybody_gets_a_turn_where_there_are_more_than_connections(engine):
    async def ask(number: int) -> int:
        async with engine.connect() as connection:
            await asyncio.sleep(0)
            return await connection.scalar(sa.select(number))

    assert await asyncio.gather(*map(ask, range(50))) == list(range(50))


async def test_whenever_somebody_gives_up_no_connection_is_lost(engine):
    chance = random.Random(20261127)
    for round in range(150):
        task = asyncio.create_task(add(engine, str(round)))
        for _ in range(chance.randrange(12)):
            await asyncio.sleep(chance.choice((0, 0, 0.0003)))
        task.cancel()
        await asyncio.wait([task])
    async with AsyncExitStack() as stack:
        opened = [await stack.enter_async_context(engine.connect()) for _ in range(5)]
        async with asyncio.timeout(30):
            assert await asyncio.gather(*(one.scalar(sa.text("SELECT 1")) for one in opened)) == [1] * 5
