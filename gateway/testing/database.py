"""A database for plugins under test: a real embedded one, made when it is first used."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.registry import Database
    from gateway.registry.connection import Connection


class StandInDatabase:
    """What `gateway.registry`'s stores need of a `Database`; close it."""

    def __init__(self) -> None:
        self._stack = AsyncExitStack()
        self._database: Database | None = None
        self._opening = asyncio.Lock()

    @asynccontextmanager
    async def read(self) -> "AsyncIterator[Connection]":
        """One reading transaction."""
        async with (await self._opened()).read() as connection:
            yield connection

    @asynccontextmanager
    async def change(self) -> "AsyncIterator[Connection]":
        """One writing transaction."""
        async with (await self._opened()).change() as connection:
            yield connection

    async def aclose(self) -> None:
        """Close and delete it."""
        await self._stack.aclose()

    async def _opened(self) -> "Database":
        async with self._opening:
            if self._database is None:
                # Imported here: most plugins under test use no database, and it costs half a second.
                from gateway.registry import Database
                from gateway.settings import load_settings

                folder = self._stack.enter_context(TemporaryDirectory(prefix="gateway-kit-"))
                self._database = await Database.open(load_settings(None, {"GATEWAY_DATA_DIR": folder}))
                self._stack.push_async_callback(self._database.aclose)
            return self._database
