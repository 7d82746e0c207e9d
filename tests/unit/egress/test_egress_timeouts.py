"""Every wait has its limit, and each limit its error."""

import asyncio
import socket
import threading

import pytest

from gateway.domain import Timeouts
from gateway.egress import EgressClient, EgressPolicy, SystemResolver
from gateway.errors import UpstreamConnectTimeout, UpstreamTimeout


async def silent(visit) -> None:
    await visit.wait_gone()


async def test_a_name_server_that_hangs_costs_the_connect_limit_and_nobody_else(serve, answer) -> None:
    release = threading.Event()

    def lookup(host: str) -> list[str]:
        if host == "hangs.test":
            release.wait(30)
        return ["127.0.0.1"]

    policy = EgressPolicy(allow=("hangs.test", "answers.test"))
    client = EgressClient(policy, resolver=SystemResolver(lookup, threads=2))
    async with serve(answer(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi")) as upstream:
        hanging = [
            asyncio.create_task(client.send("GET", "http://hangs.test/", timeouts=Timeouts(connect=0.2)))
            for _ in range(20)
        ]
        await asyncio.sleep(0)
        response = await client.send("GET", f"http://answers.test:{upstream.port}/")
        assert await response.read(10) == b"hi"
        for error in await asyncio.gather(*hanging, return_exceptions=True):
            assert isinstance(error, UpstreamConnectTimeout)
            assert error.message == "Request timed out."
    release.set()
    await client.aclose()
    assert client.open_connections == 0


async def test_an_address_that_swallows_connections_runs_into_the_connect_limit(client) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = listener.getsockname()[1]
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        with pytest.raises(UpstreamConnectTimeout):
            await client.send("GET", f"http://127.0.0.1:{port}/", timeouts=Timeouts(connect=0.1))
        for filler in fillers:
            filler.close()


async def test_a_handshake_without_answer_runs_into_the_connect_limit(serve, client) -> None:
    async with serve(silent) as upstream:
        with pytest.raises(UpstreamConnectTimeout):
            await client.send("GET", f"https://127.0.0.1:{upstream.port}/", timeouts=Timeouts(connect=0.1))
        await upstream.visits[0].gone.wait()


async def test_the_second_address_is_tried_when_the_first_refuses(serve, answer) -> None:
    async with serve(answer(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi")) as upstream:
        resolver = SystemResolver(lambda host: ["127.0.0.9", "::1", "127.0.0.1"])
        client = EgressClient(EgressPolicy(allow=("two.test",)), resolver=resolver)
        assert await (await client.send("GET", f"http://two.test:{upstream.port}/")).read(10) == b"hi"
        await client.aclose()


@pytest.mark.parametrize("sent", [b"", b"HTTP/1.1 100 Wait\r\n\r\n", b"HTTP/1.1 200 OK\r\na: b\r\n"])
async def test_no_head_in_time_closes_the_upstream(serve, client, sent) -> None:
    async def script(visit) -> None:
        await visit.request()
        visit.write(sent)
        await visit.wait_gone()

    async with serve(script) as upstream:
        with pytest.raises(UpstreamTimeout) as caught:
            await client.send("GET", upstream.url, timeouts=Timeouts(first=0.1))
        assert not isinstance(caught.value, UpstreamConnectTimeout)
        assert caught.value.message == "Request timed out."
        await upstream.visits[0].gone.wait()


@pytest.mark.parametrize(
    ("sent", "limits"),
    [(b"", Timeouts(first=0.1)), (b"half", Timeouts(idle=0.1)), (b"half", Timeouts(total=0.2))],
)
async def test_reading_a_body_that_stalls_ends_in_time(serve, client, sent, limits) -> None:
    async def script(visit) -> None:
        await visit.request()
        visit.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n" + sent)
        await visit.wait_gone()

    async with serve(script) as upstream:
        response = await client.send("GET", upstream.url, timeouts=limits)
        with pytest.raises(UpstreamTimeout):
            await response.read(1000)
        await upstream.visits[0].gone.wait()
