"""The client's side: written in place while the client reads, in order and once while it does not."""

import asyncio

import pytest

from gateway.pipeline.outlet import Outlet
from gateway.testing.upstream import chat_events, stream


class Client:
    """An ASGI `send` that waits while its buffer is full, as uvicorn's does."""

    def __init__(self) -> None:
        self.messages: list[dict] = []
        self.room = asyncio.Event()
        self.room.set()

    async def send(self, message: dict) -> None:
        await self.room.wait()
        self.messages.append(message)

    @property
    def body(self) -> bytes:
        return b"".join(m.get("body", b"") for m in self.messages)


async def test_a_reading_client_gets_every_piece_before_write_returns():
    client = Client()
    outlet = Outlet({}, client.send)
    outlet.start(200, [("content-type", "text/plain")])
    outlet.write(b"one")
    outlet.write(b"two")
    assert client.body == b"onetwo"
    assert not outlet.waiting
    outlet.finish(b"!")
    assert [m.get("more_body") for m in client.messages] == [None, True, True, False]


async def test_what_is_written_to_a_full_client_arrives_in_order_when_it_reads_again():
    client = Client()
    outlet = Outlet({}, client.send)
    outlet.start(200, [])
    client.room.clear()
    for piece in (b"a", b"b", b"c"):
        outlet.write(piece)
    outlet.finish(b"d")
    assert outlet.waiting
    assert client.body == b""
    client.room.set()
    await outlet.drained()
    assert client.body == b"abcd"
    assert not outlet.waiting


async def test_it_tells_when_everything_was_taken():
    client, told = Client(), asyncio.Event()
    outlet = Outlet({}, client.send)
    outlet.on_drained = told.set
    outlet.start(200, [])
    client.room.clear()
    outlet.write(b"a")
    client.room.set()
    async with asyncio.timeout(10):
        await told.wait()
    assert client.body == b"a"


async def test_an_abandoned_client_gets_nothing_more():
    client = Client()
    outlet = Outlet({}, client.send)
    outlet.start(200, [])
    client.room.clear()
    outlet.write(b"a")
    outlet.write(b"b")
    outlet.abandon()
    client.room.set()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert client.body == b""


async def test_an_error_of_the_client_side_reaches_who_writes():
    async def send(message: dict) -> None:
        raise RuntimeError("Invalid HTTP header value.")

    with pytest.raises(RuntimeError, match="Invalid HTTP header"):
        Outlet({}, send).start(200, [])


async def test_cutting_uses_the_servers_own_way():
    calls = []
    outlet = Outlet({"extensions": {"litestar_gateway": {"cut": lambda: calls.append("cut")}}}, Client().send)
    outlet.cut()
    assert calls == ["cut"]


@pytest.mark.parametrize(
    "behaviour", [stream(*chat_events("Hello"), pause=0), stream(*chat_events("a", "b"), pause=0.1)]
)
async def test_a_head_that_cannot_be_sent_is_a_failure_like_any_other(open_house, behaviour):
    async with open_house(headers=(("x-note", "one\ntwo"),)) as house:
        house.model("m", behaviour)
        response = await asyncio.wait_for(house.ask("m"), 30)
        assert (response.status, response.complete) == (503, True)
        assert (await house.settled())[-1].error_code == "plugin_error"
