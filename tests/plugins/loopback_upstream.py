"""An upstream on a real loopback socket that answers raw bytes, and what a provider's test needs around it."""

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec

from gateway import Attempt, ChatRequest, Exchange, GatewayError, Model
from gateway.protocols import ByteStream
from gateway.testing.loopback import Connection, LoopbackServer, ReceivedRequest

OK_EVENTS = b'data: {"choices":[{"index":0,"delta":{"content":"ok"}}]}\n\ndata: [DONE]\n\n'


def http(
    status: int, body: bytes = b"", headers: Mapping[str, str] | None = None, *, content_length: int | None = None
) -> bytes:
    """One whole HTTP answer."""
    fields = {**(headers or {}), "content-length": str(len(body) if content_length is None else content_length)}
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status} X\r\n{lines}\r\n".encode("latin-1") + body


OK = http(200, OK_EVENTS, {"content-type": "text/event-stream"})


class Upstream(LoopbackServer):
    """Answers each request with the next of `replies`, the last one for ever; an empty one ends the connection."""

    def __init__(self, *replies: bytes, ends: bool = False, silent: bool = False) -> None:
        super().__init__()
        self.replies = list(replies or (OK,))
        self.ends = ends
        """Whether the connection ends after each reply."""
        self.silent = silent
        """Whether it never answers."""
        self.received: list[ReceivedRequest] = []
        self.asked = asyncio.Event()
        self.left = asyncio.Event()
        """Set once a client has closed its connection."""

    async def answer(self, request: ReceivedRequest, connection: Connection) -> None:
        self.received.append(request)
        self.asked.set()
        if self.silent:
            await connection.gone.wait()
            self.left.set()
            return
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        connection.writer.write(reply)
        if self.ends or not reply:
            connection.writer.close()


def model(base_url: str, **changes: Any) -> Model:
    """A model behind that base URL."""
    fields = {"id": "1", "name": "Mock", "model_id": "m", "base_url": base_url, "provider": "openai", **changes}
    return msgspec.convert(fields, Model) if not changes else Model(**fields)


def request(**fields: Any) -> ChatRequest:
    """A streaming chat request with these fields."""
    values = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": True, **fields}
    raw = {name: msgspec.Raw(msgspec.json.encode(value)) for name, value in values.items()}
    return ChatRequest(dialect="chat", model="m", stream=True, fields=raw, keeps_model=True)


def attempt(target: Model, *before: GatewayError) -> Attempt:
    """The attempt after those that failed with these errors."""
    exchange = Exchange("x1", "chat")
    for number, error in enumerate((*before, None), start=1):
        exchange.attempts.append(Attempt(exchange, target, number))
        exchange.attempts[-1].error = error
    return exchange.attempts[-1]


class Taken:
    """A sink that takes a whole body."""

    def __init__(self) -> None:
        self.data = b""
        self.error: GatewayError | None = None
        self.ended = asyncio.Event()

    def move(self, data: bytes) -> None:
        self.data += data

    def end(self, error: GatewayError | None) -> None:
        self.error = error
        self.ended.set()


async def taken(body: ByteStream) -> Taken:
    """The body, pushed as the gateway's pump takes it."""
    sink = Taken()
    body.start(sink)
    async with asyncio.timeout(10):
        await sink.ended.wait()
    body.close()
    return sink
