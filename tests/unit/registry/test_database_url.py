"""Addresses of databases: what is understood, and what is said of the others."""

import asyncio

import pytest
import sqlalchemy as sa

from gateway.registry import Database, DatabaseUnavailable
from gateway.registry.engine import create_engine, parse_url
from gateway.registry.postgres import connect_options
from gateway.settings import Settings


@pytest.mark.parametrize(
    ("given", "driver"),
    [
        ("sqlite:////data/g.db", "sqlite"),
        ("sqlite+aiosqlite:////data/g.db", "sqlite"),
        ("postgres://u@h/d", "postgresql+asyncpg"),
        ("postgresql://u@h/d", "postgresql+asyncpg"),
        ("postgresql+asyncpg://u@h/d", "postgresql+asyncpg"),
    ],
)
def test_the_async_driver_is_filled_in(given: str, driver: str) -> None:
    assert parse_url(given).drivername == driver


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("", "cannot be parsed"),
        ("postgresql://u:secret@h:99999/d", "cannot be parsed"),
        ("mysql://u:secret@h/d", "'mysql' is not supported"),
        ("postgresql+psycopg://u@h/d", "is not supported"),
        ("sqlite://", "needs a SQLite file"),
        ("sqlite:///:memory:", "needs a SQLite file"),
    ],
)
def test_other_addresses_are_refused_in_words(given: str, said: str) -> None:
    with pytest.raises(DatabaseUnavailable, match=said) as refused:
        parse_url(given)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    "url", ["postgresql://u@h:6543/d", "postgresql://u@h/d?pgbouncer=true", "postgresql://u@/d?host=h&port=6543"]
)
def test_behind_a_pooler_nothing_is_prepared_under_a_name(url: str) -> None:
    options = connect_options(parse_url(url))
    assert (options["statement_cache_size"], options["prepared_statement_cache_size"]) == (0, 0)
    assert options["prepared_statement_name_func"]() == ""


@pytest.mark.parametrize("url", ["postgresql://u@h/d", "postgresql://u@h:6543/d?pgbouncer=false"])
def test_elsewhere_statements_are_prepared(url: str) -> None:
    assert "statement_cache_size" not in connect_options(parse_url(url))


def test_libpq_parameters_are_translated() -> None:
    options = connect_options(parse_url("postgresql://u@h/d?sslmode=require&application_name=a&channel_binding=prefer"))
    assert options["ssl"] == "require"
    assert options["server_settings"] == {"application_name": "a"}
    assert "statement_cache_size" not in options


def test_an_unknown_parameter_is_named() -> None:
    with pytest.raises(DatabaseUnavailable, match="'sslmod' is not supported"):
        create_engine(parse_url("postgresql://u@h/d?sslmod=require"))


async def test_a_postgres_that_is_away_is_one_sentence_without_the_password(sqlite_settings: Settings) -> None:
    away = sqlite_settings.model_copy(
        update={"database_url": "postgresql+asyncpg://user:canary-password@127.0.0.1:1/gateway"}
    )
    with pytest.raises(DatabaseUnavailable, match="cannot be reached") as refused:
        await Database.open(away)
    assert "canary" not in str(refused.value)
    assert "\n" not in str(refused.value)


async def test_a_file_that_is_no_database_is_one_sentence(sqlite_settings: Settings) -> None:
    sqlite_settings.data_dir.mkdir()
    (sqlite_settings.data_dir / "gateway.db").write_text("no database " * 1000)
    with pytest.raises(DatabaseUnavailable, match=r"is damaged \(file is not a database\): restore it") as refused:
        await Database.open(sqlite_settings)
    assert "\n" not in str(refused.value)


@pytest.mark.postgres
async def test_the_pooler_s_servers_are_left_without_prepared_statements(
    pgbouncer_url: str, sqlite_settings: Settings
) -> None:
    database = await Database.open(sqlite_settings.model_copy(update={"database_url": pgbouncer_url}))
    everybody_here = asyncio.Barrier(4)

    async def occupy_a_server() -> None:
        async with database.read() as connection:
            await connection.execute(sa.text("SELECT 1"))
            await everybody_here.wait()

    await asyncio.gather(*(occupy_a_server() for _ in range(4)))
    left: dict[int, int] = {}
    for _ in range(40):
        async with database.read() as connection:
            server = await connection.scalar(sa.text("SELECT pg_backend_pid()"))
            left[server] = await connection.scalar(sa.text("SELECT count(*) FROM pg_prepared_statements"))
    assert len(left) > 1  # the pooler did change servers
    assert set(left.values()) == {0}
    await database.aclose()


@pytest.mark.postgres
async def test_a_role_that_may_not_create_the_schema_is_told_so(
    fresh_postgres_url: str, sqlite_settings: Settings
) -> None:
    database = await Database.open(sqlite_settings.model_copy(update={"database_url": fresh_postgres_url}))
    async with database.change() as connection:
        await connection.execute(sa.text("DROP SCHEMA gateway CASCADE"))
        await connection.execute(sa.text("DROP ROLE IF EXISTS poor"))
        await connection.execute(sa.text("CREATE ROLE poor LOGIN"))
    await database.aclose()
    poor = fresh_postgres_url.replace("postgres@", "poor@")
    with pytest.raises(DatabaseUnavailable, match=r"as it should: permission denied for database [a-z0-9]+\.$"):
        await Database.open(sqlite_settings.model_copy(update={"database_url": poor}))


@pytest.mark.postgres
async def test_a_role_without_the_right_to_create_schemas_uses_the_one_made_for_it(
    fresh_postgres_url: str, sqlite_settings: Settings
) -> None:
    admin = sqlite_settings.model_copy(update={"database_url": fresh_postgres_url})
    engine = create_engine(parse_url(fresh_postgres_url))
    async with engine.begin() as connection:
        await connection.execute(sa.text("DROP ROLE IF EXISTS tenant"))
        await connection.execute(sa.text("CREATE ROLE tenant LOGIN"))
        await connection.execute(sa.text("CREATE SCHEMA gateway AUTHORIZATION tenant"))
    await engine.dispose()
    url = fresh_postgres_url.replace("postgres@", "tenant@")
    await (await Database.open(admin.model_copy(update={"database_url": url}))).aclose()
