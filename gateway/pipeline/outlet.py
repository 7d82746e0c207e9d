"""The client's side of an exchange: one response, written at once where possible."""

import asyncio
from collections.abc import Callable, Coroutine
from functools import lru_cache
from typing import Any, Protocol

from gateway.errors import Headers
from gateway.headers import TOKEN, VALUE
from gateway.pipeline.stepping import resumed
from gateway.protocols import Message, Scope, Send


class Line(Protocol):
    """The short way to the client that our own server offers (`extensions["litestar_gateway"]["line"]`).

    It says the same as ASGI's messages, and may be mixed with them: `send` goes on with what the line began.
    """

    @property
    def full(self) -> bool:
        """The client has not taken what was written: what more there is has to wait in `send`."""
        ...

    def start(self, status: int, fields: bytes, length: int | None) -> None:
        """Begin the answer, held until there is something behind it; `length` is its body's, None for chunks."""
        ...

    def write(self, body: bytes) -> bool:
        """Send a piece of the body; False where it was not, because the line is `full`."""
        ...

    def finish(self, body: bytes) -> None:
        """Send the last piece of the body."""
        ...

    def flush(self) -> None:
        """Send what is held."""
        ...

    def watch(self, left: Callable[[], None] | None) -> None:
        """Call this once the client has left before its answer was complete; None = no more."""
        ...


class Outlet:
    """Writes one response from plain callbacks; tells when the client does not take more.

    Where there is a line, writing is a call. Else, and while the client does not keep up, ASGI's `send` is stepped in
    place: it only waits when the client's buffer is above its high-water mark, and only then a task waits with it.
    What is written meanwhile is kept in order.
    """

    __slots__ = (
        "_cut",
        "_line",
        "_queue",
        "_send",
        "_task",
        "finished",
        "left",
        "on_drained",
        "on_finished",
        "started",
        "status",
    )

    def __init__(self, scope: Scope, send: Send) -> None:
        self._send = send
        offered = scope.get("extensions", {}).get("litestar_gateway", {})
        # Taken out: the server's cycle holds the scope, and would wait for the garbage collector.
        self._cut: Callable[[], None] | None = offered.pop("cut", None)
        self._line: Line | None = offered.pop("line", None)
        self._task: asyncio.Task[None] | None = None
        self._queue: list[dict[str, Any]] = []
        self.started = False
        """The status line went out."""
        self.status: int | None = None
        """What it said; None, too, where the client had left before."""
        self.left = False
        """The client has left, and what is written goes nowhere."""
        self.finished = False
        """The response is complete."""
        self.on_drained: Callable[[], None] | None = None
        """Called when everything written was taken."""
        self.on_finished: Callable[[], None] | None = None
        """Called when the end of the response was handed over, and nothing of it waits."""

    @property
    def waiting(self) -> bool:
        """The client's buffer is full."""
        return self._task is not None

    def start(self, status: int, headers: Headers, length: int | None = None) -> None:
        """Send the status line and the headers, soon: `flush`, or any piece of the body, sends them now.

        `length` is the body's; None when it is not known yet. Raises `ValueError` for a header that cannot be sent.
        """
        lines = _field_lines(headers)
        self.started = True
        self.status = None if self.left else status
        if (line := self._free_line) is not None:
            line.start(status, lines, length)
            return
        raw = [(name.encode("ascii"), value.encode("latin-1", "replace")) for name, value in headers]
        if length is not None:
            raw.append((b"content-length", b"%d" % length))
        self._write({"type": "http.response.start", "status": status, "headers": raw})

    def flush(self) -> None:
        """Let nothing wait for the first piece of the body."""
        if self._line is not None:
            self._line.flush()

    def write(self, data: bytes) -> None:
        """Send a piece of the body."""
        line = self._line
        if line is None or self._task is not None or not line.write(data):
            self._write({"type": "http.response.body", "body": data, "more_body": True})

    def finish(self, data: bytes = b"") -> None:
        """End the body properly."""
        self.finished = True
        if (line := self._free_line) is not None:
            line.finish(data)
        else:
            self._write({"type": "http.response.body", "body": data, "more_body": False})
        if self.on_finished is not None and self._task is None:
            self.on_finished()

    def cut(self) -> None:
        """Close the connection after what was written, without the end of the body: visibly incomplete."""
        if self._cut is not None:
            self._cut()

    def watch(self, left: Callable[[], None] | None) -> bool:
        """Call this once the client has left (None = no more); False where nobody would tell."""
        if self._line is None:
            return False
        self._line.watch(left)
        return True

    async def drained(self) -> None:
        """Wait until the client took everything written."""
        while self._task is not None:
            await asyncio.shield(self._task)

    def leave(self) -> None:
        """Take what is written from now on for nobody: the client has left, and the exchange goes on."""
        self.left, self._send, self._line = True, _nowhere, None
        self._queue.clear()

    def abandon(self) -> None:
        """Write nothing more."""
        self._queue.clear()
        if self._task is not None:
            self._task.cancel()

    @property
    def _free_line(self) -> Line | None:
        """The line, unless what is written has to wait for the client."""
        line = self._line
        return None if line is None or self._task is not None or line.full else line

    def _write(self, message: dict[str, Any]) -> None:
        if self._task is not None:
            self._queue.append(message)
            return
        sending: Coroutine[Any, Any, None] = self._send(message)
        try:
            waits_for = sending.send(None)
        except StopIteration:
            return
        self._task = asyncio.get_running_loop().create_task(self._rest(sending, waits_for))

    async def _rest(self, sending: Coroutine[Any, Any, None], waits_for: Any) -> None:
        try:
            await resumed(sending, waits_for)
            while self._queue:
                await self._send(self._queue.pop(0))
        finally:
            self._task = None
        if self.on_drained is not None:
            self.on_drained()


async def _nowhere(message: Message) -> None:
    """The `send` of a client that is not there any more."""


def _field_lines(headers: Headers) -> bytes:
    """The lines of a head; what no value may hold must be exactly the ends of so many lines."""
    lines = [f"{_line_start(name)}{value}\r\n" for name, value in headers]
    data = "".join(lines).encode("latin-1", "replace")
    if data.translate(None, VALUE) != b"\r\n" * len(lines):
        raise ValueError("a header's value has control characters")
    return data


@lru_cache(maxsize=512)
def _line_start(name: str) -> str:
    if not name or not TOKEN.issuperset(name):
        raise ValueError("a header's name is no token")
    return f"{name}: "
