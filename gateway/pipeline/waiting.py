"""The pump of answers with a step that waits."""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from gateway.domain import Attempt
from gateway.errors import Headers, UpstreamBroken
from gateway.events import Cause
from gateway.pipeline.outlet import Outlet
from gateway.pipeline.pump import Pump, failure_of
from gateway.pipeline.relay import Relay
from gateway.protocols import ByteStream, EventUpstream


class WaitingPump(Pump):
    """One task feeds the relay, read after read; the upstream is paused while it does."""

    def __init__(
        self, attempt: Attempt, relay: Relay, outlet: Outlet, headers: Headers, answered: Callable[[Attempt], None]
    ) -> None:
        super().__init__(attempt, relay, outlet, headers, answered)
        self._inbox: deque[tuple[Callable[[Any], Awaitable[bytes]], Any]] = deque()
        self._worker: asyncio.Task[None] | None = None

    async def run_bytes(self, body: ByteStream) -> None:
        """Relay the body of an HTTP response."""
        try:
            await super().run_bytes(body)
        finally:
            self._dismiss()

    async def run_events(self, upstream: EventUpstream) -> None:
        """Relay the events of a provider that has no bytes to show."""
        try:
            await super().run_events(upstream)
        finally:
            self._dismiss()

    def stop(self, cause: Cause) -> None:
        """End the stream from outside; what is still waited for is given up."""
        if not self._done.done():
            self._dismiss()
            if self._reader_task is not None:
                self._reader_task.cancel()
        super().stop(cause)

    def move(self, data: bytes) -> None:
        """The bytes of one read."""
        if not self._done.done():
            self._last_read = time.monotonic()
            self._put(self._relay.feed_waiting, data)

    def _broke(self, error: UpstreamBroken) -> None:
        self._put(self._relay.take_waiting, [error.failure])

    def _ended(self, cause: Cause) -> None:
        self._put(self._relay.end_waiting, cause)

    def _put(self, step: Callable[[Any], Awaitable[bytes]], argument: Any) -> None:
        self._inbox.append((step, argument))
        if self._body is not None:
            self._body.pause()
        if self._worker is None:
            self._worker = self._loop.create_task(self._work())

    async def _work(self) -> None:
        while self._inbox and not self._done.done():
            step, argument = self._inbox.popleft()
            try:
                out = await step(argument)
            except Exception as error:  # noqa: BLE001 - a named border: a dialect may be a plugin's
                out = self._relay.fail(failure_of(error))
            if not self._done.done():
                self._deliver(out)
        self._worker = None
        if not self._outlet.waiting:
            self._resume()

    def _dismiss(self) -> None:
        self._inbox.clear()
        if self._worker is not None:
            self._worker.cancel()
            self._worker = None

    def _resume(self) -> None:
        if self._worker is None:
            super()._resume()

    @property
    def _busy(self) -> bool:
        return super()._busy or self._worker is not None
