"""Registries on both databases and through a pooler, and a way to wait for what other processes do."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from gateway.registry import Database, Registry
from gateway.settings import Settings

DATABASES = ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)]
POOLED = pytest.param("pgbouncer", marks=pytest.mark.postgres)
_ALSO_POOLED = ("test_following", "test_migrations")
"""Where a pooler in transaction mode could make a difference; `make test-pgbouncer` runs everything through one."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Ask for `settings` on every database that matters to the file."""
    if "settings" in metafunc.fixturenames:
        pooled = metafunc.module.__name__ in _ALSO_POOLED and os.environ.get("TEST_PGBOUNCER") != "1"
        metafunc.parametrize("settings", [*DATABASES, POOLED] if pooled else DATABASES, indirect=True)


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A data directory that does not exist yet."""
    return tmp_path / "data"


@pytest.fixture
def settings(request: pytest.FixtureRequest, data_dir: Path) -> Settings:
    """Settings of a new installation on one of the databases."""
    if request.param == "sqlite":
        return Settings(data_dir=data_dir)
    url = "pgbouncer_url" if request.param == "pgbouncer" else "fresh_postgres_url"
    return Settings(data_dir=data_dir, database_url=request.getfixturevalue(url))


@pytest.fixture
def sqlite_settings(data_dir: Path) -> Settings:
    """Settings of a new installation on SQLite."""
    return Settings(data_dir=data_dir)


@pytest.fixture
async def database(settings: Settings) -> AsyncIterator[Database]:
    """An open, migrated, empty database."""
    opened = await Database.open(settings)
    yield opened
    await opened.aclose()


@pytest.fixture
async def registry(settings: Settings) -> AsyncIterator[Registry]:
    """A registry that follows the database of `database`."""
    opened = await Registry.open(settings)
    yield opened
    await opened.aclose()


async def eventually(condition: Callable[[], object], *, seconds: float = 20.0) -> None:
    """Return once the condition holds; the limit is there against hanging only."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.fixture(name="eventually")
def eventually_fixture() -> Callable[..., object]:
    """The function of that name."""
    return eventually
