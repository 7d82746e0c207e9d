"""S20: what two HTTP implementations could read differently is refused, and nothing hidden in it is ever served."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn

from gateway.server import HttpProtocol, bind

_HEAD = b"POST /front HTTP/1.1\r\nHost: a\r\n"
_HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n"
_CHUNKED = b"Transfer-Encoding: chunked\r\n"

REFUSED = {
    "content-length and chunked": _HEAD + b"Content-Length: 6\r\n" + _CHUNKED + b"\r\n0\r\n\r\n" + _HIDDEN,
    "chunked and content-length": _HEAD + _CHUNKED + b"Content-Length: 6\r\n\r\n0\r\n\r\n" + _HIDDEN,
    "two lengths": _HEAD + b"Content-Length: 0\r\nContent-Length: 44\r\n\r\n" + _HIDDEN,
    "two equal lengths": _HEAD + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\na" + _HIDDEN,
    "list of lengths": _HEAD + b"Content-Length: 1, 1\r\n\r\na" + _HIDDEN,
    "signed length": _HEAD + b"Content-Length: +0\r\n\r\n" + _HIDDEN,
    "length overflow": _HEAD + b"Content-Length: 18446744073709551616\r\n\r\n" + _HIDDEN,
    "folded header": _HEAD + b"X: a\r\n b\r\n\r\n" + _HIDDEN,
    "folded transfer-encoding": _HEAD + b"Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n" + _HIDDEN,
    "bare LF after the request line": b"GET /front HTTP/1.1\nHost: a\r\n\r\n" + _HIDDEN,
    "bare LF after a header": b"GET /front HTTP/1.1\r\nHost: a\nX: b\r\n\r\n" + _HIDDEN,
    "bare LF ends the head": b"GET /front HTTP/1.1\r\nHost: a\r\n\n" + _HIDDEN,
    "bare CR in a header": _HEAD + b"X: a\rY: b\r\n\r\n" + _HIDDEN,
    "space before the colon": _HEAD + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + _HIDDEN,
    "NUL in a header": _HEAD + b"X: a\x00b\r\n\r\n" + _HIDDEN,
    "vertical tab before chunked": _HEAD + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n" + _HIDDEN,
    "unknown coding": _HEAD + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n" + _HIDDEN,
    "coding before chunked": _HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n" + _HIDDEN,
    "identity": _HEAD + b"Transfer-Encoding: identity\r\n\r\n0\r\n\r\n" + _HIDDEN,
    "chunked twice": _HEAD + _CHUNKED + _CHUNKED + b"\r\n0\r\n\r\n" + _HIDDEN,
    "chunked in HTTP/1.0": b"POST /front HTTP/1.0\r\n" + _CHUNKED + b"\r\n0\r\n\r\n" + _HIDDEN,
    "HTTP/0.9": b"GET /front\r\n" + _HIDDEN,
    "HTTP/2.0": b"GET /front HTTP/2.0\r\nHost: a\r\n\r\n" + _HIDDEN,
    "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + _HIDDEN,
    "no host": b"GET /front HTTP/1.1\r\n\r\n" + _HIDDEN,
    "two hosts": b"GET /front HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n" + _HIDDEN,
    "CONNECT": b"CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n" + _HIDDEN,
    "tab in the request line": b"GET\t/front HTTP/1.1\r\nHost: a\r\n\r\n" + _HIDDEN,
    "target that is not ASCII": b"GET /\xff HTTP/1.1\r\nHost: a\r\n\r\n" + _HIDDEN,
}
BROKEN_BODIES = {
    "chunk size ends with LF": b"4\nabcd\r\n0\r\n\r\n",
    "chunk extension ends with LF": b"4;x\nabcd\r\n0\r\n\r\n",
    "hexadecimal prefix": b"0x4\r\nabcd\r\n0\r\n\r\n",
    "negative size": b"-1\r\nabcd\r\n0\r\n\r\n",
    "size overflow": b"10000000000000004\r\nabcd\r\n0\r\n\r\n",
    "no line end after the data": b"4\r\nabcdX\r\n0\r\n\r\n",
    "length in a trailer": b"0\r\nContent-Length: 5\r\n\r\n",
}


class _Application:
    """Answers every request with 200 and remembers what it was asked."""

    def __init__(self) -> None:
        self.served: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        while (message := await receive())["type"] == "http.request" and message["more_body"]:
            pass
        if message["type"] == "http.request":
            self.served.append(scope["path"])
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})


@asynccontextmanager
async def _serving(application: _Application) -> AsyncIterator[int]:
    config = uvicorn.Config(
        application, http=HttpProtocol, ws="none", lifespan="off", log_config=None, access_log=False
    )
    server = uvicorn.Server(config)
    listener = bind("127.0.0.1", 0)
    task = asyncio.create_task(server._serve([listener]))
    while not server.started:
        await asyncio.sleep(0.01)
    yield listener.getsockname()[1]
    server.should_exit = True
    await task


async def _answer(port: int, *parts: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for part in parts:
        writer.write(part)
        await asyncio.sleep(0.01)
    try:
        return await asyncio.wait_for(reader.read(), 20)
    finally:
        writer.close()


@pytest.mark.parametrize("payload", REFUSED.values(), ids=REFUSED.keys())
async def test_an_ambiguous_request_is_refused_and_what_follows_is_never_read(payload: bytes) -> None:
    application = _Application()
    async with _serving(application) as port:
        answer = await _answer(port, payload)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b'{"message":"' in answer
    assert application.served == []


@pytest.mark.parametrize("body", BROKEN_BODIES.values(), ids=BROKEN_BODIES.keys())
@pytest.mark.parametrize("apart", [False, True], ids=["at once", "later"])
async def test_a_broken_chunked_body_is_refused_and_what_follows_is_never_read(body: bytes, apart: bool) -> None:
    application = _Application()
    head = _HEAD + _CHUNKED + b"\r\n"
    parts = (head, body + _HIDDEN) if apart else (head + body + _HIDDEN,)
    async with _serving(application) as port:
        answer = await _answer(port, *parts)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert application.served == []


async def test_the_payloads_would_be_served_if_they_were_plain() -> None:
    application = _Application()
    plain = _HEAD + b"Content-Length: 0\r\n\r\n" + _HIDDEN.replace(b"Host", b"Connection: close\r\nHost")
    async with _serving(application) as port:
        await _answer(port, plain)
    assert application.served == ["/front", "/hidden"]
