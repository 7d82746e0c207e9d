"""A PostgreSQL database that is away for a while: nobody gets in, and whoever was in is thrown out."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
from sqlalchemy.engine import make_url


@asynccontextmanager
async def away(url: str) -> AsyncIterator[None]:
    """The database of that address is away until the end."""
    await _allow(url, connections=False)
    try:
        yield
    finally:
        await _allow(url, connections=True)
        await _let_in(url)


async def _let_in(url: str) -> None:
    """Wait: a pooler goes on refusing for a second after it was refused itself."""
    address = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    async with asyncio.timeout(60):
        while True:
            try:
                connection = await asyncpg.connect(address, statement_cache_size=0)
                await connection.execute("SELECT 1")
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                await asyncio.sleep(0.1)
            else:
                await connection.close()
                return


async def _allow(url: str, *, connections: bool) -> None:
    parsed = make_url(url)
    host = parsed.query.get("host") or parsed.host
    admin = await asyncpg.connect(user="postgres", database="postgres", host=host, port=parsed.port)
    try:
        await admin.execute(f"ALTER DATABASE {parsed.database} ALLOW_CONNECTIONS {str(connections).lower()}")
        if not connections:
            await admin.execute(
                f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{parsed.database}'"
            )
    finally:
        await admin.close()
