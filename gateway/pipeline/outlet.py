"""The client's side of an exchange: one response, written at once where possible."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from gateway.errors import Headers
from gateway.pipeline.stepping import resumed
from gateway.protocols import Message, Scope, Send


class Outlet:
    """Writes one ASGI response from plain callbacks; tells when the client does not take more.

    `send` is stepped in place: it only waits when the client's buffer is above its high-water mark, and only then a
    task waits with it. What is written meanwhile is kept in order.
    """

    __slots__ = (
        "_cut",
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
        self._cut: Callable[[], None] | None = scope.get("extensions", {}).get("litestar_gateway", {}).get("cut")
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

    def start(self, status: int, headers: Headers) -> None:
        """Send the status line and the headers."""
        self.started = True
        self.status = None if self.left else status
        raw = [(name.encode("ascii"), value.encode("latin-1", "replace")) for name, value in headers]
        self._write({"type": "http.response.start", "status": status, "headers": raw})

    def write(self, data: bytes) -> None:
        """Send a piece of the body."""
        self._write({"type": "http.response.body", "body": data, "more_body": True})

    def finish(self, data: bytes = b"") -> None:
        """End the body properly."""
        self.finished = True
        self._write({"type": "http.response.body", "body": data, "more_body": False})
        if self.on_finished is not None and self._task is None:
            self.on_finished()

    def cut(self) -> None:
        """Close the connection after what was written, without the end of the body: visibly incomplete."""
        if self._cut is not None:
            self._cut()

    async def drained(self) -> None:
        """Wait until the client took everything written."""
        while self._task is not None:
            await asyncio.shield(self._task)

    def leave(self) -> None:
        """Take what is written from now on for nobody: the client has left, and the exchange goes on."""
        self.left, self._send = True, _nowhere
        self._queue.clear()

    def abandon(self) -> None:
        """Write nothing more."""
        self._queue.clear()
        if self._task is not None:
            self._task.cancel()

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
