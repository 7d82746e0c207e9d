"""Whoever goes away, in whatever phase, closes the socket; nothing is left behind."""

import asyncio
import gc
import socket
import threading

import pytest

from gateway.domain import Timeouts
from gateway.egress import EgressClient, EgressPolicy, SystemResolver

HANG = 30.0


@pytest.fixture(autouse=True)
async def clean_loop():
    """No complaint reaches the event loop's exception handler, not even at collection."""
    complaints = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: complaints.append(context))
    yield
    for _ in range(5):
        await asyncio.sleep(0)
    gc.collect()
    await asyncio.sleep(0)
    assert complaints == []


async def cancel(task: "asyncio.Task[object]") -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, HANG)


async def silent(visit) -> None:
    await visit.wait_gone()


async def test_while_the_name_is_looked_up() -> None:
    release = threading.Event()
    asked = threading.Event()

    def lookup(host: str) -> list[str]:
        asked.set()
        release.wait(HANG)
        return ["127.0.0.1"]

    client = EgressClient(EgressPolicy(allow=("slow.test",)), resolver=SystemResolver(lookup))
    task = asyncio.create_task(client.send("GET", "http://slow.test/"))
    while not asked.is_set():
        await asyncio.sleep(0.001)
    await cancel(task)
    assert client.open_connections == 0
    release.set()
    await client.aclose()


async def test_while_connecting(client) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        task = asyncio.create_task(client.send("GET", f"http://127.0.0.1:{port}/"))
        await asyncio.sleep(0.05)
        assert not task.done(), "the queue of the listener was not full"
        await cancel(task)
        assert client.open_connections == 0
        for filler in fillers:
            filler.close()


async def test_while_tls_is_spoken(serve, client) -> None:
    async with serve(silent) as upstream:
        task = asyncio.create_task(client.send("GET", f"https://127.0.0.1:{upstream.port}/"))
        while not upstream.visits:
            await asyncio.sleep(0.001)
        await cancel(task)
        await asyncio.wait_for(upstream.visits[0].gone.wait(), HANG)
        assert client.open_connections == 0


@pytest.mark.parametrize("turns", range(12))
async def test_at_every_turn_of_the_loop(serve, answer, client, turns) -> None:
    async with serve(answer(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi")) as upstream:
        for scheme in ("http", "https"):
            task = asyncio.create_task(client.send("GET", f"{scheme}://127.0.0.1:{upstream.port}/"))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            for result in await asyncio.gather(task, return_exceptions=True):
                if not isinstance(result, BaseException):
                    result.close()
        while client.open_connections > client.idle_connections:
            await asyncio.sleep(0.001)


async def test_while_the_request_is_sent(serve, client) -> None:
    async def script(visit) -> None:
        await visit.reader.readuntil(b"\r\n\r\n")
        visit.requests.append(b"head")
        await asyncio.sleep(0.05)
        await visit.wait_gone()

    async with serve(script) as upstream:
        task = asyncio.create_task(client.send("POST", upstream.url, body=b"x" * 16_000_000))
        while not (upstream.visits and upstream.visits[0].requests):
            await asyncio.sleep(0.001)
        await cancel(task)
        await asyncio.wait_for(upstream.visits[0].gone.wait(), HANG)


@pytest.mark.parametrize("sent", [b"", b"HTTP/1.1 200 OK\r\nx-half: "])
async def test_while_the_head_is_awaited(serve, client, sent) -> None:
    async def script(visit) -> None:
        await visit.request()
        visit.write(sent)
        await visit.wait_gone()

    async with serve(script) as upstream:
        task = asyncio.create_task(client.send("POST", upstream.url))
        while not (upstream.visits and upstream.visits[0].requests):
            await asyncio.sleep(0.001)
        await cancel(task)
        await asyncio.wait_for(upstream.visits[0].gone.wait(), HANG)


async def test_while_the_body_is_read(serve, client) -> None:
    async def script(visit) -> None:
        await visit.request()
        visit.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")
        await visit.wait_gone()

    async with serve(script) as upstream:
        response = await client.send("GET", upstream.url)
        task = asyncio.create_task(response.read(1000))
        await asyncio.sleep(0.01)
        await cancel(task)
        await asyncio.wait_for(upstream.visits[0].gone.wait(), HANG)


async def test_one_who_leaves_does_not_spoil_the_lookup_of_another(serve, answer) -> None:
    release = threading.Event()

    def lookup(host: str) -> list[str]:
        release.wait(HANG)
        return ["127.0.0.1"]

    client = EgressClient(EgressPolicy(allow=("slow.test",)), resolver=SystemResolver(lookup))
    async with serve(answer(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi")) as upstream:
        url = f"http://slow.test:{upstream.port}/"
        first, second = (asyncio.create_task(client.send("GET", url, timeouts=Timeouts(connect=HANG))) for _ in "12")
        await asyncio.sleep(0.01)
        await cancel(first)
        release.set()
        assert await (await second).read(10) == b"hi"
    await client.aclose()
