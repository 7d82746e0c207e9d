"""Connections are reused, never across tenants or origins, and never dead or over the limit."""

import asyncio
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from gateway.domain import Timeouts
from gateway.egress import EgressClient, EgressPolicy
from gateway.errors import Overloaded, StaleConnection, UpstreamReset, UpstreamUnreachable
from gateway.routing.ailment import ailment_of

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi"


async def turn(client, url, **options) -> bytes:
    return await (await client.send("POST", url, body=b"{}", **options)).read(100)


async def test_requests_of_one_tenant_share_a_connection(serve, answer, client) -> None:
    async with serve(answer(OK)) as upstream:
        for _ in range(5):
            assert await turn(client, upstream.url, tenant=b"a") == b"hi"
        assert len(upstream.visits) == 1
        assert client.idle_connections == 1


async def test_tenants_never_share_a_connection(serve, answer, client) -> None:
    async with serve(answer(OK)) as upstream:
        for tenant in (b"a", b"b", b"", b"a", b"b", b""):
            await turn(client, upstream.url, tenant=tenant)
        assert [len(visit.requests) for visit in upstream.visits] == [2, 2, 2]


async def test_another_host_name_of_the_same_address_is_another_origin(serve, answer, client) -> None:
    async with serve(answer(OK)) as upstream:
        await turn(client, f"http://127.0.0.1:{upstream.port}/")
        await turn(client, f"http://localhost:{upstream.port}/")
        assert len(upstream.visits) == 2


async def test_fresh_dials_anew(serve, answer, client) -> None:
    async with serve(answer(OK)) as upstream:
        await turn(client, upstream.url)
        await turn(client, upstream.url, fresh=True)
        assert len(upstream.visits) == 2


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi",
        OK + b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison",
        OK + b"x",
        b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nhi",
    ],
)
async def test_a_connection_whose_message_did_not_end_cleanly_is_not_reused(serve, answer, client, data) -> None:
    async with serve(answer(data)) as upstream:
        for _ in range(3):
            assert await turn(client, upstream.url) == b"hi"
        assert len(upstream.visits) == 3


async def test_bytes_on_an_idle_connection_close_it(serve, client) -> None:
    async def script(visit) -> None:
        await visit.request()
        visit.write(OK)
        await asyncio.sleep(0.02)
        visit.write(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison")
        await visit.wait_gone()

    async with serve(script) as upstream:
        assert await turn(client, upstream.url) == b"hi"
        await upstream.visits[0].gone.wait()
        assert client.idle_connections == 0
        assert await turn(client, upstream.url) == b"hi"


async def test_a_connection_the_upstream_closed_is_noticed_before_its_next_use(serve, client) -> None:
    closed = asyncio.Event()

    async def script(visit) -> None:
        await visit.request()
        visit.write(OK)
        if not visit.number:
            await visit.writer.drain()
            visit.writer.close()
            closed.set()

    async with serve(script) as upstream:
        assert await turn(client, upstream.url) == b"hi"
        await closed.wait()
        assert await turn(client, upstream.url) == b"hi"
        assert len(upstream.visits) == 2


async def test_a_pooled_connection_that_dies_before_the_first_byte_is_stale(serve, client) -> None:
    async def script(visit) -> None:
        await visit.request()
        visit.write(OK)
        await visit.request()
        visit.reset()

    async with serve(script) as upstream:
        await turn(client, upstream.url)
        with pytest.raises(StaleConnection):
            await turn(client, upstream.url)
        assert await turn(client, upstream.url, fresh=True) == b"hi"


@pytest.mark.parametrize("reused", [False, True])
async def test_a_connection_that_dies_after_the_first_byte_is_not_stale(serve, client, reused) -> None:
    async def script(visit) -> None:
        if reused:
            await visit.request()
            visit.write(OK)
        await visit.request()
        visit.write(b"HTTP")
        await visit.writer.drain()
        await asyncio.sleep(0.02)
        visit.writer.close()

    async with serve(script) as upstream:
        if reused:
            await turn(client, upstream.url)
        with pytest.raises(UpstreamReset) as caught:
            await turn(client, upstream.url)
        assert not isinstance(caught.value, StaleConnection)


async def test_a_request_answered_before_it_was_sent_leaves_no_rest_for_the_next(serve, client) -> None:
    async def script(visit) -> None:
        await visit.reader.readuntil(b"\r\n\r\n")
        visit.write(OK)
        await visit.wait_gone()

    async with serve(script) as upstream:
        response = await client.send("POST", upstream.url, body=b"x" * 30_000_000)
        assert await response.read(100) == b"hi"
        assert client.idle_connections == 0


async def test_idle_connections_are_few_and_go_after_their_time(serve, answer) -> None:
    policy = EgressPolicy(allow=("127.0.0.1",), idle_per_key=2, idle_total=3, idle_seconds=0.05)
    client = EgressClient(policy)
    async with serve(answer(OK)) as upstream:
        for tenant in (b"a", b"b"):
            opened = [await client.send("GET", upstream.url, tenant=tenant, fresh=True) for _ in range(4)]
            await asyncio.gather(*(response.read(10) for response in opened))
        assert client.idle_connections <= 3
        while client.open_connections:
            await asyncio.sleep(0.01)
        await client.aclose()


async def hold(visit) -> None:
    await visit.request()
    visit.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n")
    await visit.wait_gone()


async def test_above_the_limit_requests_wait_and_then_are_refused(serve) -> None:
    client = EgressClient(EgressPolicy(allow=("127.0.0.1",), max_connections=2, queue_seconds=0.05))
    async with serve(hold) as upstream:
        held = [await client.send("GET", upstream.url) for _ in range(2)]
        with pytest.raises(Overloaded):
            await client.send("GET", upstream.url)
        assert len(upstream.visits) == 2
        held[0].close()
        (await client.send("GET", upstream.url)).close()
        assert len(upstream.visits) == 3
        held[1].close()
        await client.aclose()


async def test_waiting_requests_get_the_places_that_become_free(serve, answer) -> None:
    client = EgressClient(EgressPolicy(allow=("127.0.0.1",), max_connections=2, queue_seconds=30))
    async with serve(answer(OK)) as upstream:
        bodies = await asyncio.gather(*(turn(client, upstream.url, tenant=b"%d" % n) for n in range(12)))
        assert bodies == [b"hi"] * 12
        await client.aclose()
        assert client.open_connections == 0


async def test_a_waiting_request_that_is_cancelled_takes_no_place(serve) -> None:
    client = EgressClient(EgressPolicy(allow=("127.0.0.1",), max_connections=1, queue_seconds=30))
    async with serve(hold) as upstream:
        held = await client.send("GET", upstream.url)
        waiting = [asyncio.create_task(client.send("GET", upstream.url)) for _ in range(3)]
        await asyncio.sleep(0.01)
        held.close()
        waiting[0].cancel()
        waiting[1].cancel()
        (await waiting[2]).close()
        await asyncio.gather(*waiting, return_exceptions=True)
        await client.aclose()
        assert client.open_connections == 0


async def test_failed_dials_give_their_places_back() -> None:
    client = EgressClient(EgressPolicy(allow=("127.0.0.1",), max_connections=1, queue_seconds=0.01))
    for _ in range(3):
        with pytest.raises(UpstreamUnreachable):
            await client.send("GET", "http://127.0.0.1:1/", timeouts=Timeouts(connect=2))
    assert client.open_connections == 0
    await client.aclose()


async def test_a_closed_client_closes_its_connections_and_sends_nothing(serve, recorder) -> None:
    client = EgressClient(EgressPolicy(allow=("127.0.0.1",)))
    async with serve(hold) as upstream:
        response = await client.send("GET", upstream.url)
        sink = recorder()
        response.start(sink)
        await client.aclose()
        assert isinstance(sink.ends[0], UpstreamReset)
        await upstream.visits[0].gone.wait()
        with pytest.raises(UpstreamUnreachable):
            await client.send("GET", upstream.url)


@contextmanager
def no_descriptor_free() -> Iterator[None]:
    """This process may open nothing more: the next one the kernel would give lies above the limit."""
    lowest = os.open(os.devnull, os.O_RDONLY)
    os.close(lowest)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_a_lack_of_descriptors_is_the_gateways_own_fault(serve, answer, client) -> None:
    async with serve(answer(OK)) as upstream:
        with no_descriptor_free(), pytest.raises(Overloaded) as caught:
            await turn(client, upstream.url)
        assert ailment_of(caught.value) is None  # the upstream's health is not touched
        assert caught.value.retry_after == 1.0
        assert client.open_connections == 0
        assert await turn(client, upstream.url) == b"hi"
