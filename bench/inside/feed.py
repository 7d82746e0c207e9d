"""An upstream's answer that is fed by hand."""

import time
from collections.abc import Sequence
from contextvars import ContextVar

from gateway.errors import Headers
from gateway.protocols import ByteSink

EVENTS: Headers = (("content-type", "text/event-stream; charset=utf-8"),)
JSON: Headers = (("content-type", "application/json"),)


class Feed:
    """One answer, read by read, and the CPU time that this thread took for those in its middle."""

    status = 200

    def __init__(self, reads: Sequence[bytes], headers: Headers = EVENTS) -> None:
        """The first and the last of the reads are not timed: an answer opens and ends with them."""
        self.headers = headers
        self._reads = reads
        self.nanoseconds = 0

    def start(self, sink: ByteSink) -> None:
        """All of it at once, one call a read, as egress makes them."""
        first, *middle, last = self._reads if len(self._reads) > 1 else (*self._reads, b"")
        move = sink.move
        move(first)
        began = time.thread_time_ns()
        for read in middle:
            move(read)
        self.nanoseconds = time.thread_time_ns() - began
        if last:
            move(last)
        sink.end(None)

    def pause(self) -> None:
        """Nobody here is slow."""

    def resume(self) -> None:
        """It never paused."""

    async def read(self, limit: int) -> bytes:
        """The whole body."""
        return b"".join(self._reads)

    def close(self) -> None:
        """No connection is behind it."""


FEED: ContextVar[Feed] = ContextVar("FEED")
"""What answers the exchange of this context."""
