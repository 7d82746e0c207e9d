"""A way to PostgreSQL that can be cut, or fall silent, whenever somebody likes."""

import asyncio
from types import TracebackType
from typing import Self

import sqlalchemy as sa

from gateway.registry.postgres import behind_pgbouncer


class DatabaseProxy:
    """An async context manager: a TCP port on loopback before a PostgreSQL. `url` leads through it."""

    def __init__(self, url: str) -> None:
        self._real = sa.make_url(url)
        self._server: asyncio.Server | None = None
        self._pairs: dict[asyncio.Task[None], asyncio.StreamWriter] = {}
        self._flows = asyncio.Event()
        self._flows.set()
        self._refuses = False
        self.port = 0
        """The real port once entered."""

    @property
    def url(self) -> str:
        """The database's address by way of the proxy."""
        pooled = {"pgbouncer": "true"} if behind_pgbouncer(self._real) else {}
        through = self._real.set(host="127.0.0.1", port=self.port, query=pooled)
        return through.render_as_string(hide_password=False)

    async def away(self, seconds: float, *, silent: bool) -> None:
        """Be away for so long: connections are cut and refused, or nothing passes through them."""
        if silent:
            self._flows.clear()
        else:
            self._refuses = True
            self._cut()
        try:
            await asyncio.sleep(seconds)
        finally:
            self._refuses = False
            self._flows.set()

    def _cut(self) -> None:
        for writer in self._pairs.values():
            writer.transport.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._pairs[task] = writer
        try:
            if not self._refuses:
                await self._serve(reader, writer)
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            del self._pairs[task]
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host = str(self._real.query.get("host") or self._real.host)
        if host.startswith("/"):
            there, to = await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{self._real.port or 5432}")
        else:
            there, to = await asyncio.open_connection(host, self._real.port or 5432)
        ways = [asyncio.ensure_future(self._pass(reader, to)), asyncio.ensure_future(self._pass(there, writer))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            to.transport.abort()

    async def _pass(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(65536):
            await self._flows.wait()
            sink.write(data)
            await sink.drain()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        tasks = list(self._pairs)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._server.wait_closed()
