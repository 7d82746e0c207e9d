"""Bodies are pushed as they arrive, held back when nobody takes them, and truthful about their end."""

import asyncio

import pytest

from gateway.errors import UpstreamBroken, UpstreamReset

CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


async def test_each_read_is_pushed_at_once_and_the_end_after_the_last(serve, client, recorder) -> None:
    more = asyncio.Event()

    async def script(visit) -> None:
        await visit.request()
        visit.write(CHUNKED + b"3\r\none\r\n")
        await more.wait()
        visit.write(b"3\r\ntwo\r\n5\r\nthree\r\n0\r\n\r\n")
        await visit.wait_gone()

    async with serve(script) as upstream:
        response = await client.send("POST", upstream.url, body=b"{}")
        assert response.status == 200
        assert response.headers == [("transfer-encoding", "chunked")]
        sink = recorder()
        response.start(sink)
        while not sink.moves:
            await asyncio.sleep(0)
        more.set()
        await sink.ended.wait()
        assert sink.moves == [b"one", b"twothree"]
        assert sink.ends == [None]
        assert client.idle_connections == 1


@pytest.mark.parametrize("ending", ["fin", "rst"])
@pytest.mark.parametrize(
    "data",
    [
        CHUNKED + b"3\r\none\r\n",
        CHUNKED + b"3\r\none\r\n0\r\n",
        CHUNKED + b"3\r\non",
        b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\none",
    ],
)
async def test_an_end_inside_the_message_is_a_reset(serve, client, recorder, data, ending) -> None:
    go = asyncio.Event()

    async def script(visit) -> None:
        await visit.request()
        visit.write(data)
        await go.wait()
        visit.reset() if ending == "rst" else visit.writer.close()

    async with serve(script) as upstream:
        response = await client.send("GET", upstream.url)
        sink = recorder()
        response.start(sink)
        go.set()
        await sink.ended.wait()
        assert [type(error) for error in sink.ends] == [UpstreamReset]
        assert sink.ends[0].message == "Connection error."
        assert b"one".startswith(b"".join(sink.moves))


async def test_a_body_until_close_ends_with_fin_and_breaks_with_rst(serve, client) -> None:
    async def script(visit) -> None:
        await visit.request()
        visit.write(b"HTTP/1.1 200 OK\r\n\r\nall of it")
        await visit.writer.drain()
        await asyncio.sleep(0.02)
        visit.reset() if visit.number else visit.writer.close()

    async with serve(script) as upstream:
        assert await (await client.send("GET", upstream.url)).read(100) == b"all of it"
        with pytest.raises(UpstreamReset):
            await (await client.send("GET", upstream.url)).read(100)


async def test_what_breaks_the_protocol_inside_a_body_comes_after_what_was_good(serve, client, recorder) -> None:
    async def script(visit) -> None:
        await visit.request()
        visit.write(CHUNKED + b"3\r\none\r\nnonsense\r\n")
        await visit.wait_gone()

    async with serve(script) as upstream:
        response = await client.send("GET", upstream.url)
        sink = recorder()
        response.start(sink)
        await sink.ended.wait()
        assert sink.moves == [b"one"]
        assert isinstance(sink.ends[0], UpstreamBroken)
        assert sink.ends[0].failure.code == "upstream_protocol"
        await upstream.visits[0].gone.wait()


async def flood(visit) -> None:
    """16 MiB as fast as they go; `requests[-1]` tells how many MiB left."""
    await visit.request()
    visit.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % (16 << 20))
    for n in range(16):
        visit.write(bytes([n]) * (1 << 20))
        await visit.writer.drain()
        visit.requests.append(bytes([n]))
    await visit.wait_gone()


async def settled(values) -> None:
    """Wait until the list grows no more."""
    size = -1
    while size != len(values):
        size = len(values)
        await asyncio.sleep(0.1)


async def test_a_body_nobody_takes_stays_at_the_upstream(serve, client) -> None:
    async with serve(flood) as upstream:
        response = await client.send("GET", upstream.url)
        await settled(upstream.visits[0].requests)
        assert len(upstream.visits[0].requests) < 17, "all of it was swallowed"
        body = await response.read(17 << 20)
        assert body == b"".join(bytes([n]) * (1 << 20) for n in range(16))


async def test_a_paused_sink_gets_at_most_what_was_read(serve, client, recorder) -> None:
    class Slow(recorder):
        def move(self, data: bytes) -> None:
            super().move(data)
            response.pause()

    async with serve(flood) as upstream:
        response = await client.send("GET", upstream.url)
        sink = Slow()
        response.start(sink)
        await settled(sink.moves)
        assert len(sink.moves) <= 2
        assert max(map(len, sink.moves)) <= 2 * 65_536
        while not sink.ends:
            response.resume()
            await asyncio.sleep(0)
        assert sum(map(len, sink.moves)) == 16 << 20
        assert sink.ends == [None]


async def test_after_close_the_sink_hears_nothing_and_the_upstream_is_left(serve, client, recorder) -> None:
    async with serve(flood) as upstream:
        response = await client.send("GET", upstream.url)
        sink = recorder()
        response.start(sink)
        response.close()
        response.close()
        heard = len(sink.moves)
        await upstream.visits[0].gone.wait()
        assert len(sink.moves) == heard
        assert sink.ends == []


async def test_a_sink_may_close_the_stream_from_its_own_move(serve, client, answer, recorder) -> None:
    class Closing(recorder):
        def move(self, data: bytes) -> None:
            super().move(data)
            response.close()

    async with serve(answer(CHUNKED + b"3\r\none\r\n0\r\n\r\n")) as upstream:
        response = await client.send("GET", upstream.url)
        sink = Closing()
        response.start(sink)
        await asyncio.sleep(0.01)
        assert (sink.moves, sink.ends) == ([b"one"], [])
        assert client.idle_connections == 1


async def test_a_body_above_the_limit_is_refused_and_its_connection_closed(serve, client) -> None:
    async with serve(flood) as upstream:
        response = await client.send("GET", upstream.url)
        with pytest.raises(UpstreamBroken) as caught:
            await response.read(100_000)
        assert caught.value.failure.code == "upstream_protocol"
        await upstream.visits[0].gone.wait()


@pytest.mark.parametrize("status", [b"204 No Content", b"205 Reset"])
async def test_answers_without_body_are_complete_with_their_head(serve, client, answer, status) -> None:
    async with serve(answer(b"HTTP/1.1 " + status + b"\r\ncontent-length: 0\r\n\r\n")) as upstream:
        assert await (await client.send("GET", upstream.url)).read(10) == b""
        assert client.idle_connections == 1


async def test_head_is_answered_without_body(serve, client, answer) -> None:
    async with serve(answer(b"HTTP/1.1 200 OK\r\ncontent-length: 700\r\n\r\n")) as upstream:
        assert await (await client.send("HEAD", upstream.url)).read(10) == b""


async def test_interim_answers_are_passed_over(serve, client, answer) -> None:
    data = b"HTTP/1.1 103 Hints\r\nlink: x\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi"
    async with serve(answer(data)) as upstream:
        response = await client.send("GET", upstream.url)
        assert (response.headers, await response.read(10)) == ([("content-length", "2")], b"hi")
