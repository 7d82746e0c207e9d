"""A client that takes nothing of what was written to it is given up, one that reads slowly is not; by our own clock."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from served import served

from gateway.pipeline.pump import SLOW_CLIENT
from gateway.server import HttpProtocol

ASK = b"POST /%b HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n%b\r\n{}"
LARGE = 4_000_000
SMALL = 60_000
"""More than the kernel takes here, and not enough to have writing paused."""
LOOKS = 2 * HttpProtocol.window
"""How much later than due a client may be given up: it is looked at twice before it is known to take nothing."""


class Timer:
    def __init__(self, due: float, call: Callable[[], None]) -> None:
        self.due, self.call, self.is_cancelled = due, call, False

    def cancel(self) -> None:
        self.is_cancelled = True


class Clock:
    """The loop of a connection, where time passes when the test says so; and how the connection is."""

    def __init__(self) -> None:
        self._loop, self._now, self._timers = asyncio.get_running_loop(), 0.0, list[Timer]()
        self.lost = asyncio.Event()
        self.transport: Any = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)

    def time(self) -> float:
        return self._now

    def call_later(self, seconds: float, call: Callable[[], None]) -> Timer:
        self._timers.append(Timer(self._now + seconds, call))
        return self._timers[-1]

    @property
    def timers(self) -> list[Timer]:
        return [timer for timer in self._timers if not timer.is_cancelled]

    async def settled(self) -> None:
        """Return when the kernel has taken what it has room for."""
        size, same = -1, 0
        while same < 20:
            same = same + 1 if size == self.transport.get_write_buffer_size() else 0
            size = self.transport.get_write_buffer_size()
            await asyncio.sleep(0.01)

    async def after(self, seconds: float) -> None:
        """Let so much time pass; what would be done meanwhile is done."""
        await self.settled()
        until = self._now + seconds
        while due := [timer for timer in self.timers if timer.due <= until]:
            first = min(due, key=lambda timer: timer.due)
            first.cancel()
            self._now = first.due
            first.call()
            await asyncio.sleep(0)
        self._now = until
        for _ in range(10):
            await asyncio.sleep(0)


class Application:
    """Answers with `size` bytes; how is what the path says. At `/pieces` it does so until it `ends`, one by one."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.begun, self.more, self.answered = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.ends = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await receive()
        own, body = scope["extensions"]["litestar_gateway"], b"x" * self.size
        if scope["path"] == "/line":
            own["line"].start(200, b"", len(body))
            own["line"].finish(body)
            self.answered.set()
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        if scope["path"] == "/later":
            self.begun.set()
            await self.more.wait()
        while scope["path"] == "/pieces" and not self.ends:
            await send({"type": "http.response.body", "body": body, "more_body": True})
            self.more.clear()
            self.answered.set()
            await self.more.wait()
        await send({"type": "http.response.body", "body": body, "more_body": scope["path"] == "/cut"})
        if scope["path"] == "/cut":
            own["cut"]()
        self.answered.set()


@asynccontextmanager
async def asked(application: Application, path: bytes, fields: bytes) -> AsyncIterator[tuple[Clock, socket.socket]]:
    """A client that has asked, and reads nothing by itself; for both the kernel keeps little."""
    clock = Clock()

    class Timed(HttpProtocol):
        def __init__(self, *positional: Any, **options: Any) -> None:
            super().__init__(*positional, **{**options, "_loop": clock})

        def connection_made(self, transport: Any) -> None:
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
            clock.transport = transport
            super().connection_made(transport)

        def connection_lost(self, exc: Exception | None) -> None:
            super().connection_lost(exc)
            clock.lost.set()

    async with served(application, Timed, timeout_keep_alive=75) as port, asyncio.timeout(30):
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(("127.0.0.1", port))
            client.setblocking(False)
            client.send(ASK % (path, fields))
            yield clock, client
        application.ends = True
        application.more.set()
        await clock.lost.wait()
    assert clock.timers == []


async def taken(client: socket.socket, most: int = 1 << 30) -> int:
    """Read so much, or to the end; how much came."""
    loop, came = asyncio.get_running_loop(), 0
    with suppress(ConnectionError):
        while came < most and (data := await loop.sock_recv(client, min(65_536, most - came))):
            came += len(data)
    return came


@pytest.mark.parametrize("fields", [b"", b"Connection: close\r\n"], ids=["keep-alive", "close"])
@pytest.mark.parametrize("size", [SMALL, LARGE])
@pytest.mark.parametrize("path", [b"line", b"messages", b"cut", b"later"])
async def test_who_takes_nothing_of_an_answer_is_given_up(path: bytes, size: int, fields: bytes) -> None:
    application = Application(size)
    async with asked(application, path, fields) as (clock, client):
        if path == b"later":
            await application.begun.wait()
            await clock.after(3_600)
            application.more.set()
        await application.answered.wait()
        await clock.after(SLOW_CLIENT - 1)
        assert clock.transport.get_write_buffer_size() > 0
        assert not clock.lost.is_set()
        await clock.after(1 + LOOKS)
        assert clock.lost.is_set()
        assert await taken(client) < size


@pytest.mark.parametrize("fields", [b"", b"Connection: close\r\n"], ids=["keep-alive", "close"])
@pytest.mark.parametrize("path", [b"line", b"messages", b"cut"])
async def test_who_reads_slowly_gets_all_of_it(path: bytes, fields: bytes) -> None:
    application, came = Application(LARGE), 0
    async with asked(application, path, fields) as (clock, client):
        await application.answered.wait()
        while came < LARGE:
            await clock.after(SLOW_CLIENT - 10)
            came += (step := await taken(client, LARGE // 10))
            assert step


async def test_who_is_a_little_behind_a_long_stream_is_not_given_up() -> None:
    """As much waits for the client each time it is looked at, and it is another piece each time."""
    application = Application(SMALL)
    async with asked(application, b"pieces", b"") as (clock, client):
        for _ in range(20):
            await application.answered.wait()
            application.answered.clear()
            await clock.after(SLOW_CLIENT / 2)
            assert await taken(client, SMALL) == SMALL
            application.more.set()
        assert not clock.lost.is_set()


async def test_an_exchange_may_give_up_who_does_not_read_before_its_connection_does() -> None:
    """It says so in its usage. What is no exchange has its end all the same."""
    application = Application(LARGE)
    async with asked(application, b"pieces", b"") as (clock, client):
        await application.answered.wait()
        application.ends = True
        application.more.set()
        await clock.after(2 * SLOW_CLIENT - 1)
        assert not clock.lost.is_set()
        await clock.after(1 + LOOKS)
        assert clock.lost.is_set()
        assert await taken(client) < LARGE
