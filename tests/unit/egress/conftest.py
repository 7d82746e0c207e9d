"""A raw upstream that does what a script says, and a client that may reach it; under both event loops."""

import asyncio
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvloop

from gateway.egress import EgressClient, EgressPolicy

Script = Callable[["Visit"], Awaitable[None]]


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


class Visit:
    """One connection an upstream took."""

    def __init__(self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.number = number
        self.reader = reader
        self.writer = writer
        self.gone = asyncio.Event()
        """Set once the client's end of the connection is closed, whatever the script does."""
        self.requests: list[bytes] = []

    async def request(self) -> bytes:
        """The next whole request."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = next(
            (int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.startswith(b"content-length")), 0
        )
        body = await self.reader.readexactly(length)
        self.requests.append(head + body)
        return head + body

    def write(self, data: bytes) -> None:
        self.writer.write(data)

    def reset(self) -> None:
        """End the connection with a RST."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def wait_gone(self) -> None:
        """Wait until the client closed its end."""
        try:
            while await self.reader.read(65536):
                pass
        except OSError:
            pass
        self.gone.set()


class RawUpstream:
    """Serves connections with a script; what happened is in `visits`."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.visits: list[Visit] = []
        self.port = 0
        self.scheme = "http"
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}/v1/chat?x=1"

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        visit = Visit(len(self.visits), reader, writer)
        self.visits.append(visit)
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self.script(visit)
        except (asyncio.IncompleteReadError, OSError):
            visit.gone.set()
        except asyncio.CancelledError:
            pass  # Only `stop` cancels, and asyncio's streams complain about cancelled handlers.
        finally:
            self._tasks.discard(task)
            writer.close()

    async def stop(self) -> None:
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


@asynccontextmanager
async def raw_upstream(script: Script, tls: ssl.SSLContext | None = None) -> AsyncIterator[RawUpstream]:
    upstream = RawUpstream(script)
    server = await asyncio.start_server(upstream.take, "127.0.0.1", 0, ssl=tls)
    upstream.port = server.sockets[0].getsockname()[1]
    if tls is not None:
        upstream.scheme = "https"
    try:
        yield upstream
    finally:
        server.close()
        await upstream.stop()


@pytest.fixture
def serve() -> Any:
    """`async with serve(script) as upstream`."""
    return raw_upstream


@pytest.fixture
async def client() -> AsyncIterator[EgressClient]:
    """A client that may reach loopback."""
    client = EgressClient(EgressPolicy(allow=("127.0.0.1", "localhost")))
    yield client
    await client.aclose()
    assert client.open_connections == 0


@pytest.fixture
def answer() -> Callable[[bytes], Script]:
    """A script that gives every request of a connection the same answer."""

    def script_for(data: bytes) -> Script:
        async def script(visit: Visit) -> None:
            while True:
                await visit.request()
                visit.write(data)

        return script

    return script_for


class Recorder:
    """A sink that remembers."""

    def __init__(self) -> None:
        self.moves: list[bytes] = []
        self.ends: list[Any] = []
        self.ended = asyncio.Event()

    def move(self, data: bytes) -> None:
        self.moves.append(data)

    def end(self, error: Any) -> None:
        self.ends.append(error)
        self.ended.set()


@pytest.fixture
def recorder() -> type[Recorder]:
    return Recorder
