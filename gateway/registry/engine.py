"""The way to the database: one address in, one engine out, the same for SQLite and PostgreSQL."""

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from gateway.registry.connection import Engine
from gateway.registry.errors import DatabaseUnavailable

_DRIVERS = {
    "sqlite": "sqlite",
    "sqlite+aiosqlite": "sqlite",  # as it was said before there was a way of our own
    "postgresql": "postgresql+asyncpg",
    "postgres": "postgresql+asyncpg",
    "postgresql+asyncpg": "postgresql+asyncpg",
}


def parse_url(url: str) -> URL:
    """The address with its driver; `DatabaseUnavailable` for one we cannot use."""
    try:
        parsed = make_url(url.strip())
        if not 0 < (parsed.port or 1) < 65536:
            raise ValueError
    except (ArgumentError, ValueError) as error:
        raise DatabaseUnavailable(
            "The database URL cannot be parsed: write sqlite:///path or postgresql+asyncpg://user@host/name."
        ) from error
    driver = _DRIVERS.get(parsed.drivername)
    if driver is None:
        raise DatabaseUnavailable(
            f"The database URL's scheme {parsed.drivername!r} is not supported: use sqlite:// or postgresql+asyncpg://."
        )
    if driver == "sqlite" and (not parsed.database or parsed.database == ":memory:"):
        raise DatabaseUnavailable("The registry needs a SQLite file: write sqlite:///path/to/gateway.db.")
    return parsed.set(drivername=driver)


def create_engine(url: URL) -> Engine:
    """An engine for that address; nothing is opened yet but a SQLite file is made (0600) where there is none."""
    # Imported here: each costs 0.1 s, and nobody needs both.
    if url.get_backend_name() == "sqlite":
        from gateway.registry.sqlite import create_sqlite_engine

        return create_sqlite_engine(url)
    from gateway.registry.postgres import create_postgres_engine

    return create_postgres_engine(url)
