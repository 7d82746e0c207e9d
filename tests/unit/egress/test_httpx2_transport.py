"""Libraries built on httpx2 use the same door and get httpx2's errors."""

import asyncio
import json

import httpx2
import openai
import pytest

from gateway.domain import Timeouts
from gateway.egress import EgressClient, EgressPolicy
from gateway.errors import InvalidUpstreamUrl, Overloaded, UpstreamReset, UpstreamUnreachable

OK = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\nhi"


@pytest.fixture
async def http(client):
    async with httpx2.AsyncClient(transport=client.httpx2_transport(tenant=b"t"), trust_env=False) as http:
        yield http


async def test_a_request_goes_through_the_door(serve, answer, client, http) -> None:
    async with serve(answer(OK)) as upstream:
        for _ in range(2):
            response = await http.post(upstream.url, json={"a": 1}, headers={"x-a": "caf\xe9".encode("latin-1")})
            assert (response.status_code, response.text, response.headers["content-type"]) == (200, "hi", "text/plain")
            assert response.extensions["egress"].status == 200
        request = upstream.visits[0].requests[0]
        assert request.endswith(b'{"a":1}')
        assert b"x-a: caf\xe9\r\n" in request
        assert request.count(b"accept-encoding") == request.count(b"host:") == 1
        assert len(upstream.visits) == 1


async def test_a_slow_reader_holds_the_upstream_back(serve, http) -> None:
    async def script(visit) -> None:
        await visit.request()
        visit.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % (16 << 20))
        for _ in range(16):
            visit.write(b"z" * (1 << 20))
            await visit.writer.drain()
            visit.requests.append(b"")
        await visit.wait_gone()

    async with serve(script) as upstream, http.stream("GET", upstream.url) as response:
        size = 0
        async for piece in response.aiter_raw():
            if not size:
                await asyncio.sleep(0.2)
                assert len(upstream.visits[0].requests) < 17
            size += len(piece)
        assert size == 16 << 20


async def test_leaving_a_response_closes_its_connection(serve, client, http) -> None:
    async def script(visit) -> None:
        await visit.request()
        visit.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")
        await visit.wait_gone()

    async with serve(script) as upstream:
        async with http.stream("GET", upstream.url):
            pass
        await upstream.visits[0].gone.wait()
        async with http.stream("GET", upstream.url) as response:
            async for _ in response.aiter_raw():
                break
        await upstream.visits[1].gone.wait()


async def fail(http, url, **options) -> httpx2.TransportError:
    with pytest.raises(httpx2.TransportError) as caught:
        await http.get(url, **options)
    return caught.value


async def test_errors_are_httpx2s_with_ours_as_their_cause(serve, answer, http) -> None:
    refused = await fail(http, "http://127.0.0.1:1/")
    assert type(refused) is httpx2.ConnectError
    assert str(refused) == "Connection error."
    assert type(refused.__cause__) is UpstreamUnreachable
    denied = await fail(http, "http://127.0.0.2:1/")
    assert (type(denied), str(denied), type(denied.__cause__)) == (type(refused), str(refused), UpstreamUnreachable)
    assert type(await fail(http, "ftp://127.0.0.1/")) is httpx2.UnsupportedProtocol
    for data, kind in (
        (b"garbage\r\n\r\n", httpx2.ReadError),
        (b"HTTP/1.1 302 Found\r\nlocation: /\r\ncontent-length: 0\r\n\r\n", httpx2.RemoteProtocolError),
        (b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 0\r\n\r\n", httpx2.RemoteProtocolError),
    ):
        async with serve(answer(data)) as upstream:
            assert type(await fail(http, upstream.url, follow_redirects=True)) is kind


async def test_a_cut_body_is_a_read_error(serve, http) -> None:
    async def script(visit) -> None:
        await visit.request()
        visit.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf")

    async with serve(script) as upstream:
        error = await fail(http, upstream.url)
        assert type(error) is httpx2.ReadError
        assert isinstance(error.__cause__, UpstreamReset)


@pytest.mark.parametrize("sent", [b"", b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf"])
async def test_the_read_timeout_is_httpx2s(serve, http, sent) -> None:
    async def script(visit) -> None:
        await visit.request()
        visit.write(sent)
        await visit.wait_gone()

    async with serve(script) as upstream:
        error = await fail(http, upstream.url, timeout=httpx2.Timeout(5, read=0.1))
        assert type(error) is httpx2.ReadTimeout
        await upstream.visits[0].gone.wait()


async def test_without_a_timeout_of_httpx2_ours_hold(serve, client) -> None:
    async def script(visit) -> None:
        await visit.wait_gone()

    transport = client.httpx2_transport(timeouts=Timeouts(connect=0.1, first=0.1))
    async with serve(script) as upstream, httpx2.AsyncClient(transport=transport, timeout=None) as http:
        assert type(await fail(http, upstream.url)) is httpx2.ReadTimeout
        assert type(await fail(http, f"https://127.0.0.1:{upstream.port}/")) is httpx2.ConnectTimeout


async def test_no_free_connection_is_a_pool_timeout(serve) -> None:
    async def script(visit) -> None:
        await visit.wait_gone()

    client = EgressClient(EgressPolicy(allow=("127.0.0.1",), max_connections=1, queue_seconds=0.05))
    async with serve(script) as upstream, httpx2.AsyncClient(transport=client.httpx2_transport()) as http:
        first = asyncio.create_task(http.get(upstream.url))
        while not upstream.visits:
            await asyncio.sleep(0.001)
        error = await fail(http, upstream.url)
        assert (type(error), type(error.__cause__)) == (httpx2.PoolTimeout, Overloaded)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        await client.aclose()


async def test_a_url_only_httpx2_can_read_is_an_unsupported_protocol(http) -> None:
    error = await fail(http, "http://a%00b/")
    assert type(error) is httpx2.UnsupportedProtocol
    assert isinstance(error.__cause__, InvalidUpstreamUrl)


async def test_the_openai_sdk_streams_over_it(serve, answer, http) -> None:
    chunk = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": []}
    events = [{**chunk, "choices": [{"index": 0, "delta": {"content": text}}]} for text in ("one ", "two")]
    body = b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events) + b"data: [DONE]\n\n"
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    async with serve(answer(head + b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))) as upstream:
        sdk = openai.AsyncOpenAI(
            api_key="sk-test", base_url=f"http://127.0.0.1:{upstream.port}/v1", http_client=http, max_retries=0
        )
        stream = await sdk.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}], stream=True)
        assert "".join([part.choices[0].delta.content or "" async for part in stream]) == "one two"
        assert upstream.visits[0].requests[0].startswith(b"POST /v1/chat/completions HTTP/1.1\r\n")


async def test_the_openai_sdk_words_our_errors_as_its_own(serve, answer, http) -> None:
    sdk = openai.AsyncOpenAI(api_key="sk-test", base_url="http://127.0.0.1:1/v1", http_client=http, max_retries=0)
    with pytest.raises(openai.APIConnectionError, match=r"^Connection error\.$"):
        await sdk.models.list()

    async def silent(visit) -> None:
        await visit.wait_gone()

    async with serve(silent) as upstream:
        slow = sdk.with_options(base_url=f"http://127.0.0.1:{upstream.port}/v1", timeout=0.1)
        with pytest.raises(openai.APITimeoutError, match=r"^Request timed out\.$"):
            await slow.models.list()
    async with serve(answer(b"HTTP/1.1 401 No\r\ncontent-length: 4\r\n\r\nnope")) as upstream:
        with pytest.raises(openai.AuthenticationError) as caught:
            await sdk.with_options(base_url=f"http://127.0.0.1:{upstream.port}/v1").models.list()
        assert caught.value.response.text == "nope"
