"""The snapshot follows every change, of this process and of others, and outlives the database's absence."""

import asyncio
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from uuid import uuid4

import pytest
import sqlalchemy as sa
from consumed import RECORD
from outage import away
from turns import longest_turn

from gateway.registry import Database, DatabaseUnavailable, KeyStore, ModelStore, NewModel, Registry, UsageStore
from gateway.registry.registry import POLL_SECONDS
from gateway.registry.snapshot import contents, made_of
from gateway.registry.tables import keys
from gateway.settings import Settings

MODEL = NewModel(name="m", model_id="m", base_url="https://a.example")
KEY = {"name": "k", "scopes": ["chat"], "prefix": "gw-", "limits": {"rpm": 1}}
FOLLOW = """
import asyncio, sys
from gateway.registry import Registry
from gateway.settings import Settings

async def main():
    registry = await Registry.open(Settings.model_validate_json(sys.argv[1]))
    print("open", flush=True)
    while not registry.snapshot.models_named("m"):
        await asyncio.sleep(0.01)
    print("seen", flush=True)
    while registry.snapshot.models_named("m"):
        await asyncio.sleep(0.01)
    print("gone", flush=True)
    await registry.aclose()

asyncio.run(main())
"""


async def test_another_process_sees_what_this_one_changes(settings: Settings, database: Database) -> None:
    given = settings.model_dump_json(include={"data_dir", "database_url"})
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", FOLLOW, given, stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        assert await process.stdout.readline() == b"open\n"
        added = await ModelStore(database).add(MODEL)
        assert await process.stdout.readline() == b"seen\n"
        await ModelStore(database).remove(added.id)
        assert await process.stdout.readline() == b"gone\n"
        assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_usage_that_is_written_does_not_load_the_registry_anew(settings: Settings, database: Database) -> None:
    registry = await Registry.open(settings)
    try:
        await registry.refresh()
        before = registry.snapshot
        await UsageStore(database).add([RECORD])
        await registry.refresh()
        assert registry.snapshot is before
        await ModelStore(database).add(MODEL)
        await registry.refresh()
        assert registry.snapshot is not before
    finally:
        await registry.aclose()


async def test_a_change_of_a_large_registry_is_taken_up_in_many_turns(settings: Settings, database: Database) -> None:
    """At once, ten thousand keys held every stream up for a third of a second."""
    made = datetime.now(UTC)
    async with database.change() as connection:
        rows = [
            {**KEY, "id": str(uuid4()), "digest": bytes([n // 256, n % 256]), "created_at": made} for n in range(2000)
        ]
        await connection.execute(sa.insert(keys), rows)
    await ModelStore(database).add(MODEL)
    before = await made_of(await contents(database), database)

    async def reload() -> None:
        snapshot = await made_of(await contents(database), database, before)
        assert snapshot.models_named("m")

    assert await longest_turn(reload()) < 5000


def test_the_poll_leaves_half_of_the_stated_bound_for_the_load() -> None:
    assert POLL_SECONDS <= 1.0


async def test_a_change_by_raw_sql_is_seen_too(registry: Registry, database: Database, eventually) -> None:
    added = await ModelStore(database).add(MODEL)
    await eventually(lambda: registry.snapshot.model(added.id))
    before = registry.snapshot.generation
    async with database.change() as connection:
        table = "models" if database.engine.dialect.name == "sqlite" else "gateway.models"
        await connection.execute(sa.text(f"UPDATE {table} SET enabled = false"))
    await eventually(lambda: registry.snapshot.model(added.id) is None)
    assert registry.snapshot.generation > before


async def test_a_rolled_back_change_leaves_generation_and_snapshot(registry: Registry, database: Database) -> None:
    before = registry.snapshot
    with pytest.raises(RuntimeError):
        async with database.change() as connection:
            await connection.execute(sa.text("DELETE FROM keys" if _sqlite(database) else "DELETE FROM gateway.keys"))
            raise RuntimeError
    await registry.refresh()
    assert registry.snapshot.generation == before.generation


async def test_unchanged_rows_keep_their_models(registry: Registry, database: Database) -> None:
    first = await ModelStore(database).add(MODEL)
    await registry.refresh()
    model = registry.snapshot.model(first.id)
    await ModelStore(database).add(MODEL)
    await registry.refresh()
    assert registry.snapshot.model(first.id) is model


async def test_a_snapshot_in_use_does_not_change(registry: Registry, database: Database) -> None:
    added = await ModelStore(database).add(MODEL)
    await registry.refresh()
    pinned = registry.snapshot
    await ModelStore(database).remove(added.id)
    await registry.refresh()
    assert pinned.model(added.id) is not None
    assert registry.snapshot.model(added.id) is None


async def test_revocation_is_followed(registry: Registry, database: Database, eventually) -> None:
    key, token = await KeyStore(database).create("k")
    await eventually(lambda: registry.snapshot.principal(token.reveal()))
    await KeyStore(database).revoke(key.id)
    await eventually(lambda: registry.snapshot.principal(token.reveal()) is None)


async def test_a_value_that_cannot_be_read_leaves_the_last_snapshot(
    sqlite_settings: Settings, eventually, caplog: pytest.LogCaptureFixture
) -> None:
    registry = await Registry.open(sqlite_settings)
    store = ModelStore(registry.database)
    added = await store.add(MODEL)
    await eventually(lambda: registry.snapshot.model(added.id))
    async with registry.database.change() as connection:
        await connection.execute(sa.text("UPDATE models SET parameters = '{'"))
    await eventually(lambda: "served from memory" in caplog.text)
    assert registry.snapshot.model(added.id) is not None
    async with registry.database.change() as connection:
        await connection.execute(sa.text("UPDATE models SET parameters = '{}', name = 'mended'"))
    await eventually(lambda: registry.snapshot.models_named("mended"))
    await registry.aclose()


@pytest.mark.postgres
async def test_a_lost_postgres_is_served_from_memory_said_once_and_found_again(
    fresh_postgres_url: str,
    sqlite_settings: Settings,
    eventually: Callable[..., asyncio.Future[None]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO", "gateway.registry")
    registry = await Registry.open(sqlite_settings.model_copy(update={"database_url": fresh_postgres_url}))
    store = ModelStore(registry.database)
    first = await store.add(MODEL)
    await eventually(lambda: registry.snapshot.model(first.id))

    async with away(fresh_postgres_url):
        await eventually(lambda: "served from memory" in caplog.text)
        with pytest.raises(DatabaseUnavailable):
            await registry.ping()
        await asyncio.sleep(2 * POLL_SECONDS)
        assert registry.snapshot.model(first.id) is not None
        assert not registry.snapshot.is_current
        assert registry.snapshot_age() > POLL_SECONDS
        assert caplog.text.count("served from memory") == 1
    await eventually(lambda: "is back" in caplog.text)
    assert registry.snapshot.is_current
    second = await store.add(MODEL)
    await eventually(lambda: registry.snapshot.model(second.id))
    await registry.ping()
    await registry.aclose()


def _sqlite(database: Database) -> bool:
    return database.engine.dialect.name == "sqlite"


def test_closing_waits_for_a_connection_that_is_being_opened(
    sqlite_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    opening, opened, connect = threading.Event(), threading.Event(), sqlite3.connect

    def slow(*arguments: object, **options: object) -> object:
        opening.set()
        time.sleep(0.1)
        opened.set()
        return connect(*arguments, **options)

    async def open_and_close() -> None:
        registry = await Registry.open(sqlite_settings)
        for _ in range(2):
            await registry.refresh()  # the second comes behind the registry's own first look
        monkeypatch.setattr(sqlite3, "connect", slow)
        await registry.database.engine.dispose()  # nobody looks now, and the next look needs a new connection
        await asyncio.to_thread(opening.wait, 20)
        await registry.aclose()
        assert opened.is_set()

    # A thread that reports to the closed loop is an unhandled thread exception, which pytest makes this test's failure.
    asyncio.run(open_and_close())
