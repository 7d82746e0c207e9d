"""The line past ASGI's messages: the same bytes, and no head that leaves without its body."""

import asyncio
from typing import Any

import pytest
from served import served

ASK = b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}"
FIELDS = b"content-type: text/plain\r\n"


def line_of(scope: Any) -> Any:
    return scope["extensions"]["litestar_gateway"]["line"]


async def answer(port: int, ask: bytes = ASK, until: bytes = b"") -> bytes:
    """What comes up to `until`, or to the end of the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(ask)
    try:
        async with asyncio.timeout(20):
            return await (reader.readuntil(until) if until else reader.read())
    finally:
        writer.close()


async def test_a_known_length_and_a_kept_connection() -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        line_of(scope).start(200, FIELDS, 5)
        line_of(scope).finish(b"whole")

    async with served(application) as port:
        told = await answer(port, ASK + ASK.replace(b"Host", b"Connection: close\r\nHost"))
    first, _, second = told.partition(b"whole")
    assert first.startswith(b"HTTP/1.1 200 OK\r\ndate: ")
    assert first.endswith(FIELDS + b"content-length: 5\r\n\r\n")
    assert b"connection: close" not in first
    assert second.endswith(b"connection: close\r\ncontent-length: 5\r\n\r\nwhole")


async def test_pieces_of_an_unknown_length_are_chunks_and_messages_may_go_on() -> None:
    async def application(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        line_of(scope).start(201, FIELDS, None)
        line_of(scope).write(b"one")
        await send({"type": "http.response.body", "body": b"two", "more_body": True})
        line_of(scope).finish(b"")

    async with served(application) as port:
        told = await answer(port, until=b"\r\n0\r\n\r\n")
    head, _, body = told.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 201 ")
    assert head.endswith(b"transfer-encoding: chunked")
    assert body == b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n"


async def test_a_head_waits_for_its_body_and_leaves_without_it_before_a_cut() -> None:
    began, go_on = asyncio.Event(), asyncio.Event()

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        line_of(scope).start(200, FIELDS, None)
        began.set()
        await go_on.wait()
        scope["extensions"]["litestar_gateway"]["cut"]()

    async with served(application) as port:
        asking = asyncio.create_task(answer(port))
        await began.wait()
        assert not asking.done()
        go_on.set()
        told = await asking
    assert told.startswith(b"HTTP/1.1 200 ")
    assert told.endswith(b"\r\n\r\n")


async def test_an_answer_of_another_length_than_announced_is_an_error(caplog: pytest.LogCaptureFixture) -> None:
    raised: list[Exception] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        line_of(scope).start(200, FIELDS, 5)
        line = line_of(scope)
        for write, piece in ((line.write, b"much too long"), (line.finish, b"short"), (line.finish, b"too long")):
            try:
                write(piece)
            except RuntimeError as error:
                raised.append(error)
        scope["extensions"]["litestar_gateway"]["cut"]()

    async with served(application) as port:
        assert not (await answer(port)).endswith(b"long")
    assert raised


async def test_who_leaves_before_the_end_is_told_of_once_and_after_it_never() -> None:
    left, answered = [], asyncio.Event()

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        line = line_of(scope)
        gone = asyncio.Event()
        line.watch(lambda: (left.append(scope["path"]), gone.set()))
        line.start(200, FIELDS, None)
        if scope["path"] == "/x":
            line.write(b"some")
            await gone.wait()
        else:
            line.finish(b"some")
        answered.set()

    async with served(application) as port:
        await answer(port, ASK.replace(b"/x", b"/whole"), b"0\r\n\r\n")
        await asyncio.wait_for(answered.wait(), 20)
        answered.clear()
        await answer(port, ASK, b"some")
        await asyncio.wait_for(answered.wait(), 20)
    assert left == ["/x"]


async def test_a_head_that_is_asked_for_alone_has_no_line() -> None:
    found: list[Any] = []

    async def application(scope: Any, receive: Any, send: Any) -> None:
        found.append(scope["extensions"]["litestar_gateway"].get("line"))
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"{}"})

    async with served(application) as port:
        await answer(port, b"HEAD /x HTTP/1.1\r\nHost: a\r\n\r\n", b"\r\n\r\n")
    assert found == [None]
