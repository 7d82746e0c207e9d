"""A whole body, collected from its pieces."""

import asyncio

from gateway.egress.deadlines import Deadlines
from gateway.egress.faults import timed_out, too_large
from gateway.errors import GatewayError


class Body:
    """A sink that keeps everything, up to a limit, and watches the clock.

    The first byte has until the attempt's first limit, each further read the idle limit, all of it the total one.
    """

    __slots__ = ("_deadlines", "_done", "_error", "_last", "_limit", "_loop", "_pieces", "_size", "_timer", "_waiter")

    def __init__(self, limit: int, deadlines: Deadlines) -> None:
        self._loop = asyncio.get_running_loop()
        self._limit = limit
        self._deadlines = deadlines
        self._pieces: list[bytes] = []
        self._size = 0
        self._last = 0.0
        self._done = False
        self._error: GatewayError | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def move(self, data: bytes) -> None:
        """Keep the bytes of one read."""
        if self._done:
            return
        self._pieces.append(data)
        self._size += len(data)
        self._last = self._loop.time()
        if self._size > self._limit:
            self.end(too_large(self._limit))

    def end(self, error: GatewayError | None) -> None:
        """No more will come."""
        if self._done:
            return
        self._done, self._error = True, error
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def whole(self) -> bytes:
        """The body once it is there; raises what ended it."""
        if not self._done:
            self._waiter = self._loop.create_future()
            self._watch()
            try:
                await self._waiter
            finally:
                if self._timer is not None:
                    self._timer.cancel()
        if self._error is not None:
            raise self._error
        return b"".join(self._pieces)

    def _watch(self) -> None:
        limits = self._deadlines
        until = min(self._last + limits.idle, limits.total) if self._last else limits.first
        if self._loop.time() >= until:
            self.end(timed_out("the body stalled"))
        else:
            self._timer = self._loop.call_at(until, self._watch)
