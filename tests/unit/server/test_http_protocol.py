"""The protocol on real sockets: cutting, limits and what is said when a request is refused."""

import asyncio
import json
import logging
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from served import served

from gateway.server import HttpProtocol


class _Hasty(HttpProtocol):
    window = 0.3


_LEFT: list[bytes] = []
"""The queries of the requests whose clients have left."""


async def _reads_body(receive: Any) -> bytes:
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return body
        body += message["body"]
        if not message["more_body"]:
            return body


async def _application(scope: Any, receive: Any, send: Any) -> None:
    """Echoes method, path and body, at `/headers` the headers' names; `/deaf` reads no body, `/cut` cuts after some
    text, `/hold` never ends and tells when the client left.
    """
    if scope["path"] == "/hold":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"held", "more_body": True})
        await _reads_body(receive)
        while (await receive())["type"] != "http.disconnect":
            pass
        _LEFT.append(scope["query_string"])
        return
    body = await _reads_body(receive) if scope["path"] != "/deaf" else b"deaf"
    if scope["path"] == "/headers":
        body += b" ".join(name for name, _ in scope["headers"])
    await send({"type": "http.response.start", "status": 200, "headers": [(b"x-path", scope["raw_path"])]})
    if scope["path"] == "/cut":
        await send({"type": "http.response.body", "body": b"partial", "more_body": True})
        scope["extensions"]["litestar_gateway"]["cut"]()
        return
    await send({"type": "http.response.body", "body": scope["method"].encode() + b" " + body})


def serving(http: type[HttpProtocol] = HttpProtocol, **options: Any) -> AbstractAsyncContextManager[int]:
    """The application above."""
    return served(_application, http, **options)


async def exchange(port: int, *parts: bytes) -> bytes:
    """Send the parts and read until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for part in parts:
        writer.write(part)
        await writer.drain()
        await asyncio.sleep(0.01)
    try:
        return await asyncio.wait_for(reader.read(), 20)
    finally:
        writer.close()


def _status_and_json(answer: bytes) -> tuple[int, Any]:
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split(b" ")[1]), json.loads(body)


async def test_a_cut_response_brings_what_was_written_and_never_the_final_chunk(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING):
        async with serving() as port:
            answer = await exchange(port, b"GET /cut HTTP/1.1\r\nHost: a\r\n\r\n")
    assert answer.endswith(b"7\r\npartial\r\n")
    assert caplog.records == []


@pytest.mark.parametrize(
    "header", [b"X-Big: " + b"a" * 70_000, b"".join(b"X-%d: y\r\n" % i for i in range(9_000))[:-2]]
)
async def test_headers_above_the_limit_get_431(header: bytes) -> None:
    async with serving() as port:
        answer = await exchange(port, b"GET /api/x HTTP/1.1\r\nHost: a\r\n" + header + b"\r\n\r\n")
    status, body = _status_and_json(answer)
    assert status == 431
    assert set(body) == {"message"}


async def test_more_headers_than_anybody_needs_get_431() -> None:
    few, many = (b"".join(b"X-%d: y\r\n" % i for i in range(count)) for count in (250, 300))
    async with serving() as port:
        taken = await exchange(port, b"GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n" + few + b"\r\n")
        refused = await exchange(port, b"GET /x HTTP/1.1\r\nHost: a\r\n" + many + b"\r\n")
    assert taken.startswith(b"HTTP/1.1 200 ")
    assert _status_and_json(refused) == (431, {"message": "The request has more than 256 headers."})


_CHUNKED = b"POST /headers HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"


async def test_a_trailer_is_never_taken_for_a_header() -> None:
    trailers = b"4\r\nbody\r\n0\r\nAuthorization: Bearer x\r\nX-Trailer: y\r\n\r\n"
    async with serving() as port:
        answer = await exchange(port, _CHUNKED + trailers)
        # The application has the head before the trailers come.
        later = await exchange(port, _CHUNKED, b"4\r\nbody\r\n", b"0\r\nX-Trailer: y\r\n\r\n")
    for text in (answer, later):
        assert b"bodyhost connection transfer-encoding\r\n" in text


@pytest.mark.parametrize(
    ("start", "more"),
    [(b"0\r\n", b"X: y\r\n"), (b"0\r\nX: ", b"y"), (b"0\r\nX", b"y"), (b"4;", b"x"), (b"", b"1;xxxxxxxx\r\ny\r\n")],
    ids=["trailers", "a trailer's value", "a trailer's name", "a chunk's extension", "every chunk's extension"],
)
async def test_what_stands_around_a_chunked_body_has_an_end(start: bytes, more: bytes) -> None:
    async with serving() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(_CHUNKED + start)
        sent = 0
        try:
            while sent < 4_000_000 and not reader.at_eof():
                writer.write(more * (50_000 // len(more)))
                await writer.drain()
                sent += 50_000
                await asyncio.sleep(0)
        except ConnectionError:
            pass
        writer.close()
    assert sent < 4_000_000


async def test_a_body_in_the_smallest_chunks_is_a_body() -> None:
    body = b"1\r\nx\r\n" * 100_000 + b"0\r\n\r\n"
    async with serving() as port:
        answer = await exchange(port, _CHUNKED.replace(b"/headers", b"/x") + body)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.count(b"x") >= 100_000


@pytest.mark.parametrize("target", [b"http://elsewhere/x?q=1", b"https://a:443/x", b"HTTP://a/x"])
async def test_a_target_in_absolute_form_is_its_path(target: bytes) -> None:
    async with serving() as port:
        answer = await exchange(port, b"GET %b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" % target)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"x-path: /x\r\n" in answer


@pytest.mark.parametrize("target", [b"*", b"a:80", b"x", b"//", b"http://", b"http:///x", b"/\x7f", b"?x"])
async def test_a_target_that_is_no_path_is_refused_or_served_as_one_and_never_more(target: bytes) -> None:
    async with serving() as port:
        answer = await exchange(port, b"GET %b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" % target)
    assert answer.split(b" ")[1] in (b"200", b"400")
    assert answer.count(b"HTTP/1.1 ") == 1


async def test_an_answer_of_unknown_length_to_http_1_0_shows_a_cut_as_well() -> None:
    """Without chunks its end would be the connection's, and a cut one could not be told from it."""
    async with serving() as port:
        whole = await exchange(port, b"GET /one HTTP/1.0\r\n\r\n")
        cut = await exchange(port, b"GET /cut HTTP/1.0\r\n\r\n")
    assert whole.endswith(b"0\r\n\r\n")
    assert b"connection: close" in whole.lower()
    assert cut.endswith(b"7\r\npartial\r\n")


async def test_a_header_without_end_is_refused_before_it_is_collected() -> None:
    async with serving() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nX: ")
        sent = 0
        try:
            while sent < 4_000_000 and not reader.at_eof():
                writer.write(b"a" * 50_000)
                await writer.drain()
                sent += 50_000
                await asyncio.sleep(0)
        except ConnectionError:
            pass
        writer.close()
    assert sent < 4_000_000


async def test_a_refusal_speaks_the_dialect_of_the_path() -> None:
    big = b"X: " + b"a" * 70_000 + b"\r\n\r\n"
    async with serving() as port:
        openai = await exchange(port, b"GET /v1/models HTTP/1.1\r\nHost: a\r\n" + big)
        custom = await exchange(port, b"GET /api/chat/custom HTTP/1.1\r\nHost: a\r\n" + big)
    assert _status_and_json(openai)[1]["error"]["code"] == "headers_too_large"
    assert b"content-type: text/plain;charset=UTF-8\r\n" in custom


async def test_a_request_complete_before_a_malformed_one_is_still_answered() -> None:
    async with serving() as port:
        answer = await exchange(port, b"GET /one HTTP/1.1\r\nHost: a\r\n\r\nnonsense\x00\r\n\r\n")
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b"x-path: /one" in answer


async def test_a_request_that_offers_an_upgrade_keeps_its_body() -> None:
    head = (
        b"POST /u HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n"
    )
    async with serving(timeout_keep_alive=1) as port:
        answer = await exchange(port, head + b"Content-Length: 8\r\n\r\nfour", b"more")
    assert b"200" in answer.split(b"\r\n")[0]
    assert b"POST fourmore" in answer


async def test_pipelined_requests_are_answered_in_order() -> None:
    one = b"POST /1 HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\na"
    two = b"POST /2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n1\r\nb\r\n0\r\n\r\n"
    async with serving() as port:
        answer = await exchange(port, one + two)
    assert answer.index(b"POST a") < answer.index(b"POST b")


@pytest.mark.parametrize("host", [b"a b", b"a/b", b'"a"', b"a\x80", b"<a>"])
async def test_a_host_that_is_none_is_refused(host: bytes) -> None:
    async with serving() as port:
        refused = await exchange(port, b"GET /v1/models HTTP/1.1\r\nHost: %b\r\n\r\n" % host)
        taken = await exchange(port, b"GET /x HTTP/1.1\r\nHost: [::1]:80\r\nConnection: close\r\n\r\n")
    status, body = _status_and_json(refused)
    assert (status, body["error"]["message"]) == (400, "The Host header names no host.")
    assert taken.startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("last", [b"Host: a b", b"Host: b\r\nHost: a", b"Host: a\r\nHost: a", b"X: y"])
async def test_what_was_right_in_one_request_is_looked_at_again_where_the_next_one_differs(last: bytes) -> None:
    targets = (b"/one?q=1", b"/one?q=1", b"/two", b"/one?q=1")
    good = b"".join(b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n" % target for target in targets)
    async with serving() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(good)
        answer = b"".join([await reader.readuntil(b"0\r\n\r\n") for _ in targets])
        writer.write(b"GET /one?q=1 HTTP/1.1\r\n%b\r\n\r\n" % last)
        answer += await asyncio.wait_for(reader.read(), 20)
        writer.close()
    paths = [line for line in answer.split(b"\r\n") if line.startswith(b"x-path: ")]
    assert paths == [b"x-path: /one", b"x-path: /one", b"x-path: /two", b"x-path: /one"]
    assert answer.count(b"HTTP/1.1 400 ") == 1


async def test_a_connection_is_kept_for_its_next_request_but_not_for_ever() -> None:
    async with serving(_Hasty, timeout_keep_alive=2) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        answers = b""
        for pause in (0.0, 0.1, 0.8, 0.1):  # within a window, and beyond
            await asyncio.sleep(pause)
            writer.write(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n")
            answers += await reader.readuntil(b"0\r\n\r\n")
        assert answers.count(b"HTTP/1.1 200 ") == 4
        assert await asyncio.wait_for(reader.read(), 20) == b""
        writer.close()


async def test_a_next_request_that_drips_is_closed_with_408() -> None:
    async with serving(_Hasty, timeout_keep_alive=3600) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n")
        await reader.readuntil(b"0\r\n\r\n")
        await asyncio.sleep(0.8)  # it is looked at, and may rest now
        writer.write(b"GET /x HT")
        assert _status_and_json(await asyncio.wait_for(reader.read(), 20))[0] == 408
        writer.close()


async def test_a_dripping_head_is_closed_with_408() -> None:
    async with serving(_Hasty) as port:
        answer = await exchange(port, b"GET / HT", b"TP")
    assert _status_and_json(answer)[0] == 408


async def test_a_dripping_body_is_closed_with_408() -> None:
    async with serving(_Hasty) as port:
        answer = await exchange(port, b"POST /api/x HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n", b"a", b"b")
    assert _status_and_json(answer)[0] == 408


async def test_a_body_that_still_drips_when_its_request_is_answered_is_not_waited_for() -> None:
    async with serving(_Hasty, timeout_keep_alive=75) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST /deaf HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n")
        await reader.readuntil(b"deaf")
        async with asyncio.timeout(20):
            while not reader.at_eof():
                writer.write(b"a")
                try:
                    async with asyncio.timeout(0.1):
                        await reader.read(1000)
                except TimeoutError:
                    continue
                except ConnectionError:
                    break
        writer.close()


@pytest.mark.parametrize("broken", [b"nonsense\r\n", b"0\r\nX: " + b"y" * 200_000], ids=["chunk", "trailer"])
async def test_a_body_that_breaks_after_its_request_is_answered_gets_no_second_answer(broken: bytes) -> None:
    async with serving() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(_CHUNKED.replace(b"/headers", b"/deaf").replace(b"Connection: close\r\n", b""))
        answer = await reader.readuntil(b"0\r\n\r\n")
        try:
            for start in range(0, len(broken), 50_000):
                writer.write(broken[start : start + 50_000])
                await writer.drain()
            answer += await asyncio.wait_for(reader.read(), 20)
        except ConnectionError:
            pass
        writer.close()
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b"POST deaf" in answer


async def test_a_connection_that_sends_nothing_is_closed_silently() -> None:
    async with serving(_Hasty) as port:
        assert await exchange(port, b"\r\n", b"\r\n") == b""


@pytest.mark.parametrize(
    "behind",
    [
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 10_000,
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999\r\n\r\n" + b"x" * 300_000,
        b"nonsense",
    ],
    ids=["one", "many", "large", "nonsense"],
)
async def test_a_client_that_leaves_is_noticed_whatever_it_sent_behind_its_request(behind: bytes) -> None:
    name = str(len(behind)).encode()
    async with serving() as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /hold?%b HTTP/1.1\r\nHost: a\r\n\r\n" % name)
        await reader.readuntil(b"held")
        writer.write(behind)
        await asyncio.sleep(0.1)
        writer.close()
        async with asyncio.timeout(10):
            while name not in _LEFT:
                await asyncio.sleep(0.01)


async def test_waiting_requests_beyond_the_limit_are_not_kept() -> None:
    request = b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n"
    async with serving() as port:
        answers = await exchange(port, b"".join(request % number for number in range(100)))
    assert 0 < answers.count(b"x-path: /") < 20
