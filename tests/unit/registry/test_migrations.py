"""The schema: up, down, up again, compared, locked, and refused where it is newer."""

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.script import ScriptDirectory
from new_database import migrated, statements

from gateway.registry import (
    Database,
    KeyStore,
    ModelStore,
    NewModel,
    NewRoute,
    Registry,
    RouteStore,
    SchemaMismatch,
    StoredTarget,
    migrations,
)
from gateway.registry.connection import Engine
from gateway.registry.engine import create_engine, parse_url
from gateway.settings import Settings

OPEN = """
import asyncio, json, sys
from gateway.registry import Database
from gateway.settings import Settings

async def main():
    await (await Database.open(Settings(**json.loads(sys.argv[1])))).aclose()

asyncio.run(main())
"""


@pytest.fixture
async def engine(settings: Settings) -> AsyncIterator[Engine]:
    made = create_engine(parse_url(settings.database_url))
    yield made
    await made.dispose()


async def test_upgrade_downgrade_and_upgrade_again_leave_nothing_to_migrate(engine: Engine) -> None:
    assert await migrations.current(engine) is None
    await migrations.upgrade(engine)
    assert await migrations.check(engine) == []
    await migrations.downgrade(engine, "base")
    assert await migrations.current(engine) is None
    await migrations.upgrade(engine)
    assert await migrations.current(engine) == migrations.HEAD
    assert await migrations.check(engine) == []


async def test_a_new_sqlite_database_is_what_all_migrations_make(tmp_path: Path) -> None:
    """It is made without them; after one was added, `make schema` writes it down anew."""
    made = tmp_path / "made.db"
    engine = create_engine(parse_url(f"sqlite:///{made}"))
    await migrations.ensure(engine, migrate=True)
    assert await migrations.check(engine) == []
    await engine.dispose()
    assert statements(made) == await migrated(tmp_path / "migrated.db")


async def test_a_sqlite_database_that_holds_something_is_migrated(tmp_path: Path) -> None:
    file = tmp_path / "gateway.db"
    with closing(sqlite3.connect(file)) as connected:
        connected.execute("CREATE TABLE somebody_elses (id INTEGER)")
    engine = create_engine(parse_url(f"sqlite:///{file}"))
    await migrations.ensure(engine, migrate=True)
    assert await migrations.check(engine) == []
    await engine.dispose()


async def test_a_changed_table_is_reported(engine: Engine) -> None:
    await migrations.upgrade(engine)
    table = "models" if engine.dialect.name == "sqlite" else "gateway.models"
    async with engine.begin() as connection:
        await connection.execute(sa.text(f"ALTER TABLE {table} DROP COLUMN folder_id"))
    [difference] = await migrations.check(engine)
    assert "folder_id" in difference


async def test_foreign_tables_are_invisible_to_the_comparison(engine: Engine) -> None:
    await migrations.upgrade(engine)
    async with engine.begin() as connection:
        await connection.execute(sa.text("CREATE TABLE somebody_elses (id INTEGER)"))
        if engine.dialect.name == "postgresql":
            await connection.execute(sa.text("CREATE TABLE gateway.somebody_elses (id INTEGER)"))
            await connection.execute(sa.text("CREATE TABLE models (id INTEGER)"))
    assert await migrations.check(engine) == []


def test_the_known_revisions_are_those_of_the_scripts() -> None:
    scripts = ScriptDirectory.from_config(migrations.config())
    assert tuple(script.revision for script in reversed(list(scripts.walk_revisions()))) == migrations.REVISIONS


async def test_a_schema_newer_than_the_program_is_refused_with_the_command_to_run(
    engine: Engine, settings: Settings
) -> None:
    await (await Database.open(settings)).aclose()
    table = "gateway_alembic_version" if engine.dialect.name == "sqlite" else "gateway.gateway_alembic_version"
    async with engine.begin() as connection:
        await connection.execute(sa.text(f"UPDATE {table} SET version_num = '9999'"))
    with pytest.raises(SchemaMismatch, match=r"9999, which is newer .* run `pip install --upgrade litestar-gateway`"):
        await Database.open(settings)


@pytest.mark.postgres
async def test_postgres_is_not_migrated_where_that_is_switched_off(fresh_postgres_url: str, settings: Settings) -> None:
    careful = settings.model_copy(update={"database_url": fresh_postgres_url, "auto_migrate": False})
    with pytest.raises(SchemaMismatch, match="run `gateway db upgrade`"):
        await Database.open(careful)


async def test_an_embedded_database_is_always_migrated(sqlite_settings: Settings) -> None:
    database = await Database.open(sqlite_settings.model_copy(update={"auto_migrate": False}))
    assert await migrations.current(database.engine) == migrations.HEAD
    await database.aclose()


async def test_eight_processes_starting_at_once_migrate_once(settings: Settings, engine: Engine) -> None:
    given = settings.model_dump_json(include={"data_dir", "database_url"})
    processes = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", OPEN, given, stderr=subprocess.PIPE)
        for _ in range(8)
    ]
    complaints = [(await process.communicate())[1] for process in processes]
    assert [complaint.decode().splitlines()[-1:] for complaint in complaints] == [[]] * 8
    assert [process.returncode for process in processes] == [0] * 8
    assert await migrations.current(engine) == migrations.HEAD


async def test_every_column_of_chatbot_ui_is_there(engine: Engine) -> None:
    await migrations.upgrade(engine)
    schema = None if engine.dialect.name == "sqlite" else "gateway"
    async with engine.connect() as connection:
        columns = await connection.run_sync(lambda sync: sa.inspect(sync).get_columns("models", schema=schema))
    assert {column["name"] for column in columns} >= {
        *("id", "user_id", "folder_id", "created_at", "updated_at", "sharing", "name", "description"),
        *("model_id", "base_url", "api_key", "context_length"),
    }


Columns = dict[tuple[str, str], tuple[str, bool, bool]]


async def _columns(engine: Engine) -> Columns:
    """Type of every column, whether it takes null, and whether a row may come without it."""

    def look(connection: sa.Connection) -> Columns:
        inspector, schema = sa.inspect(connection), None if engine.dialect.name == "sqlite" else "gateway"
        return {
            (table, column["name"]): (
                str(column["type"]),
                bool(column["nullable"]),
                bool(column["nullable"] or column["default"] is not None),
            )
            for table in inspector.get_table_names(schema=schema)
            for column in inspector.get_columns(table, schema=schema)
        }

    async with engine.connect() as connection:
        return await connection.run_sync(look)


async def test_every_migration_only_adds_what_older_programs_need_not_know(engine: Engine) -> None:
    before: Columns = {}
    for revision in migrations.REVISIONS:
        await migrations.upgrade(engine, revision)
        after = await _columns(engine)
        changed = {where: (was, after.get(where)) for where, was in before.items() if after.get(where) != was}
        assert changed == {}, f"{revision} takes from older programs what they use"
        known = {table for table, _ in before}
        needed = [where for where in after.keys() - before.keys() if where[0] in known and not after[where][2]]
        assert needed == [], f"{revision} wants from older programs what they do not know"
        before = after


async def test_a_program_that_runs_goes_on_when_the_schema_has_moved_on(settings: Settings, engine: Engine) -> None:
    """What a newer version's migration does while this one still runs, as when servers are replaced one by one."""
    registry = await Registry.open(settings)
    prefix = "" if engine.dialect.name == "sqlite" else "gateway."
    async with engine.begin() as connection:
        for table in ("models", "keys", "routes", "usage"):
            await connection.execute(sa.text(f"ALTER TABLE {prefix}{table} ADD COLUMN future TEXT DEFAULT 'x'"))
        await connection.execute(sa.text(f"CREATE TABLE {prefix}futures (id INTEGER PRIMARY KEY)"))
        await connection.execute(sa.text(f"UPDATE {prefix}gateway_alembic_version SET version_num = '9999'"))
    model = await ModelStore(registry.database).add(NewModel(name="m", model_id="m", base_url="https://a.example"))
    await ModelStore(registry.database).update(model.id, {"name": "renamed"})
    await RouteStore(registry.database).add(NewRoute(name="r", targets=(StoredTarget(model.id),)))
    key, token = await KeyStore(registry.database).create("k")
    await registry.refresh()
    assert [one.name for one in registry.snapshot.models()] == ["renamed"]
    assert [route.name for route in registry.snapshot.routes()] == ["r"]
    assert registry.snapshot.principal(token.reveal()) is not None
    await KeyStore(registry.database).revoke(key.id)
    await registry.refresh()
    assert registry.snapshot.principal(token.reveal()) is None
    await registry.aclose()
