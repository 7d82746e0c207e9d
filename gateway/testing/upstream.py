"""An upstream that does exactly what it is told, byte by byte, and remembers what it saw."""

import asyncio
import socket
import struct
from base64 import b64decode
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

import msgspec

from gateway.testing.loopback import Connection, LoopbackServer, ReceivedRequest

EVENT_STREAM = (("content-type", "text/event-stream"),)


class Ending(StrEnum):
    """What happens to the connection after the last write."""

    COMPLETE = "complete"
    """The HTTP message is ended properly and the connection stays open."""
    RESET = "reset"
    """TCP reset."""
    CLOSE = "close"
    """TCP close, the HTTP message incomplete."""
    MID_CHUNK = "mid_chunk"
    """TCP close inside a chunk that promised more."""
    HOLD = "hold"
    """Nothing, until the client leaves."""


class Behaviour(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to one request."""

    status: int | None = 200
    """None: not even a status line is sent."""
    headers: tuple[tuple[str, str], ...] = ()
    writes: tuple[bytes, ...] = ()
    """Each one TCP write of the body."""
    chunked: bool = False
    """Chunked transfer; otherwise the length of all writes is declared."""
    pause: float = 0.025
    """Seconds between writes."""
    gated: bool = False
    """After each write, wait for `Seen.go_on` instead."""
    ending: Ending = Ending.COMPLETE


class Seen:
    """One request and what became of its answer."""

    def __init__(self, request: ReceivedRequest, connection: Connection) -> None:
        self.request = request
        self._connection = connection
        self.writes = 0
        """How many writes of the body were made."""
        self.left_after_writes: int | None = None
        """How many had been made when the client left; None when it stayed until the answer was over."""
        self.over = False
        """The answer was played to its end, or the client has left."""
        self._permitted = asyncio.Semaphore(0)

    def go_on(self) -> None:
        """Let a gated answer make its next write."""
        self._permitted.release()

    async def permitted(self) -> None:
        """Wait for `go_on`, or until the client has left."""
        leaving = asyncio.ensure_future(self._connection.gone.wait())
        waiting = asyncio.ensure_future(self._permitted.acquire())
        try:
            await asyncio.wait((leaving, waiting), return_when=asyncio.FIRST_COMPLETED)
        finally:
            leaving.cancel()
            waiting.cancel()

    @property
    def closed_at(self) -> float | None:
        """`time.monotonic()` when the client's side of this connection ended; None while it is open."""
        return self._connection.gone_at

    async def closed(self) -> float:
        """Wait until the client's side of this connection has ended; when that was."""
        await self._connection.gone.wait()
        at = self._connection.gone_at
        assert at is not None
        return at


class ScriptedUpstream(LoopbackServer):
    """Plays behaviours; the first segment of the path says whose turn it is.

    `play("case", a, b)` answers the first request under `/case/` with `a`, all later ones with `b`.
    """

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        super().__init__(host, port)
        self._scripts: dict[str, Sequence[Behaviour]] = {}
        self._seen: dict[str, list[Seen]] = {}
        self._arrived = asyncio.Condition()

    def play(self, name: str, *behaviours: Behaviour) -> str:
        """Set the script of that name; the base URL that leads to it."""
        self._scripts[name] = behaviours
        return f"{self.origin}/{name}/v1"

    def seen(self, name: str) -> list[Seen]:
        """The requests under that name so far."""
        return self._seen.setdefault(name, [])

    async def wait_for(self, name: str, count: int = 1) -> Seen:
        """Wait until `count` requests have come under that name; the last of them."""
        async with self._arrived:
            await self._arrived.wait_for(lambda: len(self.seen(name)) >= count)
        return self.seen(name)[count - 1]

    async def answer(self, request: ReceivedRequest, connection: Connection) -> None:
        """Play the next behaviour of the script that the path names."""
        name = request.target.split("/")[1].partition("?")[0]
        seen = Seen(request, connection)
        async with self._arrived:
            self.seen(name).append(seen)
            self._arrived.notify_all()
        behaviour = self.choose(name, seen)
        if behaviour is None:
            connection.reply(404, b'{"error":{"message":"no such script"}}')
            return
        await self._play(behaviour, seen, connection)

    def choose(self, name: str, seen: Seen) -> Behaviour | None:
        """What to play for the request that has just come under that name; a subclass may decide by the request."""
        script = self._scripts.get(name)
        return script[min(len(self.seen(name)), len(script)) - 1] if script else None

    async def _play(self, behaviour: Behaviour, seen: Seen, connection: Connection) -> None:
        connection.writer.transport.set_write_buffer_limits(0)
        try:
            if behaviour.status is not None:
                connection.send_head(behaviour.status, _headers(behaviour))
            for data in behaviour.writes:
                connection.send_chunk(data) if behaviour.chunked else connection.writer.write(data)
                await connection.writer.drain()
                seen.writes += 1
                if behaviour.gated:
                    await seen.permitted()
                elif len(behaviour.writes) > 1 or behaviour.chunked:
                    await connection.stays(behaviour.pause)
                if connection.gone.is_set():
                    break
            await _end(behaviour, connection)
        finally:
            seen.over = True
            if connection.gone.is_set():
                seen.left_after_writes = seen.writes


def _headers(behaviour: Behaviour) -> tuple[tuple[str, str], ...]:
    if behaviour.chunked:
        return (*behaviour.headers, ("transfer-encoding", "chunked"))
    if behaviour.status == 204 or any(name == "content-length" for name, _ in behaviour.headers):
        return behaviour.headers
    return (*behaviour.headers, ("content-length", str(sum(map(len, behaviour.writes)))))


async def _end(behaviour: Behaviour, connection: Connection) -> None:
    match behaviour.ending:
        case Ending.COMPLETE if behaviour.chunked:
            connection.send_chunk(b"")
            await connection.writer.drain()
        case Ending.RESET:
            transport = connection.writer.transport
            linger = struct.pack("ii", 1, 0)  # close() then sends RST
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            transport.abort()
        case Ending.MID_CHUNK:
            connection.writer.write(b"400\r\ndata: ")
            connection.writer.close()
        case Ending.CLOSE:
            connection.writer.close()
        case Ending.HOLD:
            await connection.gone.wait()
        case _:
            pass


def reply(status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Behaviour:
    """A plain response."""
    return Behaviour(status=status, headers=tuple((headers or {}).items()), writes=(body,) if body else ())


def stream(*writes: bytes, pause: float = 0.025, ending: Ending = Ending.COMPLETE) -> Behaviour:
    """An event stream, each element one TCP write."""
    return Behaviour(headers=EVENT_STREAM, writes=writes, chunked=True, pause=pause, ending=ending)


def chat_events(*texts: str, finish: str | None = "stop") -> tuple[bytes, ...]:
    """The events of a chat completion that says `texts`, one delta each, as OpenAI sends them."""
    said = [_chunk({"role": "assistant", "content": ""}), *(_chunk({"content": text}) for text in texts)]
    return (*said, _chunk({}, finish), b"data: [DONE]\n\n") if finish else tuple(said)


def _chunk(delta: Mapping[str, str], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1700000000, "model": "m"}
    return b"data: " + msgspec.json.encode({**head, "choices": [choice]}) + b"\n\n"


def from_transcript(recorded: Any) -> tuple[Behaviour, ...]:
    """The behaviours of a recorded transcript's `upstream_behaviour`: one entry, or one for each attempt."""
    if recorded is None:
        return ()
    entries = recorded if isinstance(recorded, list) else [recorded]
    return tuple(_from_entry(entry) for entry in entries)


def _from_entry(entry: Mapping[str, Any]) -> Behaviour:
    if entry.get("destroyAtOnce"):
        return Behaviour(status=None, ending=Ending.RESET)
    headers = dict(entry.get("headers") or {})
    ending = Ending.RESET if entry.get("end") == "destroy" else Ending.COMPLETE
    if "sse" not in entry:
        plain = reply(entry["status"], _bytes(entry.get("body") or ""), headers)
        return msgspec.structs.replace(plain, ending=ending)
    return Behaviour(
        status=entry.get("status", 200),
        headers=tuple(({"content-type": "text/event-stream"} | headers).items()),
        writes=tuple(_bytes(element) for element in entry["sse"]),
        chunked=True,
        ending=ending,
    )


def _bytes(element: str | Mapping[str, str]) -> bytes:
    if isinstance(element, str):
        return element.encode("utf-8", "surrogatepass")
    return b64decode(element["b64"])
