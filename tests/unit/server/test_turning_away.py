"""A request that is turned away costs next to nothing, and its connection is kept where that is safe."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
import uvicorn

from gateway.api.refusal import Refusal, refusal
from gateway.server import HttpProtocol, bind
from gateway.server.crowd import BODY_LIMIT


class Crowded:
    """An application without room; what gets through to it is answered with `in`."""

    full = True
    served = 0
    expected = 0
    turned_away = 0

    def __init__(self) -> None:
        self.entrance = self

    def is_full(self) -> bool:
        return self.full

    def refusal(self, path: str) -> Refusal | None:
        if not self.full or path != "/v1/chat/completions":
            return None
        self.turned_away += 1
        return refusal(path, 503, "full")

    def admit(self, path: str) -> Refusal | bool:
        if (refused := self.refusal(path)) is not None:
            return refused
        self.expected += path == "/v1/chat/completions"
        return path == "/v1/chat/completions"

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.served += 1
        self.expected -= scope["extensions"]["litestar_gateway"].get("expected", False)
        while (await receive()).get("more_body"):
            pass
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"in"})


@asynccontextmanager
async def connected(application: Crowded) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    options = {"ws": "none", "lifespan": "off", "log_config": None, "access_log": False, "proxy_headers": False}
    server = uvicorn.Server(uvicorn.Config(application, http=HttpProtocol, **options))  # type: ignore[arg-type]
    listener = bind("127.0.0.1", 0)
    task = asyncio.create_task(server._serve([listener]))
    while not server.started:
        await asyncio.sleep(0.01)
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.getsockname()[1])
    try:
        async with asyncio.timeout(30):
            yield reader, writer
    finally:
        writer.close()
        server.should_exit = True
        await task


def request(body: bytes = b"{}", path: str = "/v1/chat/completions", more: str = "") -> bytes:
    return f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n{more}\r\n".encode() + body


async def answer(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bytes]:
    status, *lines = (await reader.readuntil(b"\r\n\r\n")).decode()[:-4].split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    return int(status.split()[1]), headers, await reader.readexactly(int(headers["content-length"]))


async def test_the_connection_of_who_is_turned_away_is_kept() -> None:
    application = Crowded()
    async with connected(application) as (reader, writer):
        for _ in range(3):
            writer.write(request())
            status, headers, body = await answer(reader)
            assert (status, headers["retry-after"], len(headers["x-request-id"])) == (503, "1", 32)
            assert json.loads(body)["error"]["code"] == "overloaded"
            assert "connection" not in headers
        assert application.served == 0
        application.full = False
        writer.write(request())
        assert (await answer(reader))[2] == b"in"


async def test_a_body_in_pieces_is_read_before_the_answer_and_never_taken_for_a_request() -> None:
    application = Crowded()
    async with connected(application) as (reader, writer):
        whole = request(b"GET / HTTP/1.1\r\n\r\n" * 20)
        for at in range(0, len(whole), 50):
            writer.write(whole[at : at + 50])
            await writer.drain()
            await asyncio.sleep(0)
        assert (await answer(reader))[0] == 503
        application.full = False
        writer.write(request())
        assert (await answer(reader))[2] == b"in"


@pytest.mark.parametrize(
    "sent",
    [
        request(b"x" * (BODY_LIMIT + 1)),
        request(more="Connection: close\r\n"),
        request().replace(b"HTTP/1.1", b"HTTP/1.0"),
    ],
    ids=["large body", "close", "http 1.0"],
)
async def test_a_connection_that_is_not_worth_keeping_is_closed_behind_the_answer(sent: bytes) -> None:
    async with connected(Crowded()) as (reader, writer):
        writer.write(sent)
        status, headers, _ = await answer(reader)
        assert (status, headers["connection"]) == (503, "close")
        assert await reader.read() == b""


async def test_what_comes_behind_a_request_that_is_served_waits_for_it_and_is_never_turned_away_before_it() -> None:
    application = Crowded()
    async with connected(application) as (reader, writer):
        writer.write(request(path="/other") + request())
        assert (await answer(reader))[2] == b"in"
        assert (await answer(reader))[0] in (200, 503)
        assert "connection" not in (await _again(reader, writer))[1]


async def _again(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> tuple[int, dict[str, str], bytes]:
    writer.write(request())
    return await answer(reader)


async def test_only_the_paths_of_exchanges_are_turned_away() -> None:
    async with connected(Crowded()) as (reader, writer):
        for path in ("/health/live", "/admin/plugins/reload", "/v1/chat/completions/more"):
            writer.write(request(path=path))
            assert (await answer(reader))[2] == b"in"


async def test_who_is_let_in_is_expected_until_it_begins() -> None:
    application = Crowded()
    application.full = False
    async with connected(application) as (reader, writer):
        for path in ("/v1/chat/completions", "/other"):
            writer.write(request(path=path))
            assert (await answer(reader))[2] == b"in"
    assert (application.served, application.expected) == (2, 0)


async def test_requests_that_come_together_find_no_more_room_than_there_is() -> None:
    """A turn of the loop reads all of them before the first one begins."""

    class OnePlace(Crowded):
        def is_full(self) -> bool:
            return self.expected > 0

        def refusal(self, path: str) -> Refusal | None:
            return refusal(path, 503, "full") if self.is_full() else None

    application = OnePlace()
    async with connected(application) as (_, writer):
        port = writer.get_extra_info("peername")[1]
        clients = [await asyncio.open_connection("127.0.0.1", port) for _ in range(10)]
        for _, one in clients:
            one.write(request())  # nothing is awaited in between
        told = [(await answer(reader))[0] for reader, _ in clients]
        for _, one in clients:
            one.close()
    assert told.count(200) == application.served
    assert told.count(503) == 10 - application.served
    assert application.served < 10


async def test_a_new_connection_whose_first_request_was_turned_away_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HttpProtocol, "window", 0.2)  # within which a first request has to come
    async with connected(Crowded()) as (reader, writer):
        writer.write(request())
        assert (await answer(reader))[0] == 503
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(), 0.6)  # an end would be told
        writer.write(request())
        assert (await answer(reader))[0] == 503


async def test_any_number_of_offers_of_another_protocol_in_one_read_are_turned_away_one_by_one() -> None:
    """Each makes the parser stop, and begin anew behind it."""
    offer = request(more="Connection: Upgrade\r\nUpgrade: x\r\n")
    application = Crowded()
    async with connected(application) as (reader, writer):
        writer.write(offer * 600)
        told = [await answer(reader) for _ in range(600)]
        application.full = False
        writer.write(request(b"plain") + offer)
        assert [(await answer(reader))[2], (await answer(reader))[2]] == [b"in", b"in"]
    assert {status for status, _, _ in told} == {503}
    assert len({headers["x-request-id"] for _, headers, _ in told}) == 600


async def test_nothing_is_answered_behind_a_last_refusal() -> None:
    application = Crowded()
    async with connected(application) as (reader, writer):
        writer.write(request(b"x" * (BODY_LIMIT + 1)) + request() * 3 + request(path="/other"))
        assert (await reader.read()).count(b"HTTP/1.1 ") == 1
    assert (application.turned_away, application.served) == (1, 0)


@pytest.mark.parametrize("together", [1, 50], ids=["one at a time", "many in one read"])
async def test_who_reads_none_of_the_refusals_is_soon_refused_for_good(together: int) -> None:
    many, piece, left, spins = 30_000, request() * together, b"", 0
    application = Crowded()
    async with connected(application) as (_, writer):
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(writer.get_extra_info("peername"))
            client.setblocking(False)
            while spins < 1_000 and application.turned_away < many:
                before, left = application.turned_away, left or piece
                try:
                    left = left[client.send(left) :]
                except BlockingIOError:
                    pass
                await asyncio.sleep(0)  # the gateway reads, if it does
                spins = spins + 1 if application.turned_away == before else 0
            assert application.turned_away < many
            with suppress(ConnectionError):  # the end, with some of it unread
                while await asyncio.get_running_loop().sock_recv(client, 1 << 20):
                    pass
