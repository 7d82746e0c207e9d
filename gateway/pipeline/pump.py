"""Moves bytes between egress, relay and client, with back-pressure and timers; knows no dialect."""

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

from gateway.cancellation import StrayCancellation, cancelled_by_us
from gateway.domain import Attempt
from gateway.errors import GatewayError, Headers, UpstreamBroken
from gateway.events import Cause, Failure
from gateway.pipeline.headers import answer_headers
from gateway.pipeline.outlet import Outlet
from gateway.pipeline.patience import Patience
from gateway.pipeline.relay import Relay
from gateway.protocols import ByteStream, EventUpstream

T = TypeVar("T")

AFTER_FINISH = 5.0
"""Seconds that an upstream may stay silent between its finish reason and its end marker."""
LINGER = 0.2
"""Seconds in which the rest of a finished HTTP message may arrive, so that its connection can be kept."""
PING = 15.0
"""Seconds of silence after which the client is sent a keep-alive, where its dialect has one."""
SOON = 0.05
"""Seconds between two looks at a limit that is over while it is not the upstream who is waited for."""
SLOW_CLIENT = 60.0
"""Seconds without one read by the client after which its stream is given up."""


class Pump:
    """Runs one attempt's answer; `run` returns when it ended, one way or another.

    Upstream bytes are written to the client from the read callback: no task, no queue, one write a read. A client that
    does not keep up pauses the upstream. Whatever ends the stream becomes a `Cause`, which the relay judges.
    """

    cause: Cause | None = None
    """Why the stream ended, where the upstream did not end it properly."""
    error: Exception | None = None
    """What a provider's own event stream raised."""
    _body: ByteStream | None = None
    _reader_task: asyncio.Task[None] | None = None
    _timer: asyncio.TimerHandle | None = None
    _slow_since: float | None = None
    """When the client's buffer became full."""
    _ping = b""
    _last_ping = 0.0
    _lingering = False
    _complete = False
    _finishing = False
    _cutting = False

    def __init__(
        self, attempt: Attempt, relay: Relay, outlet: Outlet, headers: Headers, answered: Callable[[Attempt], None]
    ) -> None:
        """`answered` is called when the first content is there, before anything is written."""
        self._attempt = attempt
        self._answered = answered
        self._relay = relay
        self._outlet = outlet
        self._headers = headers
        self._loop = asyncio.get_running_loop()
        self._done: asyncio.Future[None] = self._loop.create_future()
        self._last_read = time.monotonic()

    async def run_bytes(self, body: ByteStream) -> None:
        """Relay the body of an HTTP response."""
        self._body = body
        try:
            body.start(self)
            if not self._done.done():
                if self._timer is None:
                    self._arm()
                await self._done
        finally:
            self._disarm()
            if self._lingering and not self._complete:
                self._loop.call_later(LINGER, body.close)
            else:
                body.close()
        await self._drain()

    async def run_events(self, upstream: EventUpstream) -> None:
        """Relay the events of a provider that has no bytes to show."""
        self._arm()
        self._reader_task = self._loop.create_task(self._iterate(upstream))
        try:
            await self._done
        finally:
            self._disarm()
            self._reader_task.cancel()
            await asyncio.wait([self._reader_task])
        await self._drain()

    def stop(self, cause: Cause) -> None:
        """End the stream from outside: shutdown, a client that is gone or too slow."""
        if not self._done.done():
            self.cause = cause
            self._ended(cause)

    async def _drain(self) -> None:
        """The client takes the rest of what was written; then its connection is cut if that is how the answer ends."""
        if self._outlet.waiting:
            try:
                with Patience(SLOW_CLIENT):
                    await self._outlet.drained()
            except TimeoutError:
                self.cause, self._cutting = Cause.CLIENT_SLOW, True
                self._outlet.abandon()
        if self._cutting:
            self._outlet.cut()

    # -- what the upstream brings (ByteSink) --

    def move(self, data: bytes) -> None:
        """The bytes of one read."""
        if self._done.done():
            return
        self._last_read = time.monotonic()
        try:
            out = self._relay.feed(data)
        except Exception as error:  # noqa: BLE001 - a named border: a dialect may be a plugin's
            out = self._relay.fail(failure_of(error))
        self._deliver(out)

    def _deliver(self, out: bytes) -> None:
        """What one read became goes to the client; the answer may have ended with it."""
        relay = self._relay
        if relay.closed:
            self._settle(out)
            return
        if out or (relay.open and not self._outlet.started):
            self._write(out)
        if relay.answer.finish and self._finishing != relay.answer.complete:
            self._finishing = not self._finishing  # a choice that had finished may go on
            self._arm()

    def end(self, error: GatewayError | None) -> None:
        """No more bytes."""
        self._complete = True
        if self._lingering and self._body is not None:
            self._body.close()
        if self._done.done():
            return
        if isinstance(error, UpstreamBroken):
            self._broke(error)
            return
        self.cause = Cause.EOF if error is None else Cause.RESET
        self._ended(self.cause)

    def _broke(self, error: UpstreamBroken) -> None:
        self._settle(self._guarded(self._relay.take, [error.failure]))

    def _ended(self, cause: Cause) -> None:
        self._settle(self._guarded(self._relay.end, cause))

    def _guarded(self, step: Callable[[T], bytes], argument: T) -> bytes:
        """A named border: a dialect may be a plugin's, and its fault is this answer's failure."""
        try:
            return step(argument)
        except Exception as error:  # noqa: BLE001
            return self._relay.fail(failure_of(error))

    async def _iterate(self, upstream: EventUpstream) -> None:
        try:
            async for event in upstream.events:
                self._last_read = time.monotonic()
                out = await self._relay.take_waiting([event]) if self._relay.waits else self._relay.take([event])
                if self._done.done():
                    return
                if self._relay.closed:
                    self._settle(out)
                    return
                if out or (self._relay.open and not self._outlet.started):
                    self._write(out)
                    await self._outlet.drained()
        except asyncio.CancelledError:
            if cancelled_by_us():
                raise
            self._failed(StrayCancellation())
        except Exception as error:  # noqa: BLE001 - a named border: the upstream attempt
            self._failed(error)
        else:
            self.end(None)

    def _failed(self, error: Exception) -> None:
        if not self._done.done():
            self.error = error
            self._settle(self._relay.fail(failure_of(error)))

    # -- what the client gets --

    def _write(self, out: bytes) -> None:
        outlet = self._outlet
        if outlet.started:
            outlet.write(out)
        elif not self._opened():
            self._done.set_result(None)
            return
        else:
            self._arm()
            if out:
                outlet.write(out)
            else:
                outlet.flush()
        if outlet.waiting and self._slow_since is None:
            if self._body is not None:
                self._body.pause()
            self._slow_since = time.monotonic()
            outlet.on_drained = self._go_on
            self._arm()

    def _go_on(self) -> None:
        self._slow_since = None
        self._last_read = time.monotonic()
        self._resume()
        if not self._done.done():
            self._arm()

    def _resume(self) -> None:
        if self._body is not None and not self._done.done():
            self._body.resume()

    def _opened(self, length: int | None = None) -> bool:
        """Begin the response; False where its head cannot be sent: then nothing of the answer was."""
        self._attempt.first_content = time.monotonic()
        self._answered(self._attempt)
        self._relay.opened(self._attempt.exchange)
        try:
            self._outlet.start(200, (*self._headers, *answer_headers(self._attempt.exchange)), length)
        except ValueError as error:
            self._attempt.first_content, self.error = None, error
            return False
        if length is None:
            self._ping = self._relay.ping
        return True

    def _settle(self, out: bytes) -> None:
        """The answer ended: write what is left, end or cut the response, and let `run` return."""
        if self._relay.open and (self._outlet.started or self._opened(len(out) if self._relay.whole else None)):
            if self.cause in (Cause.CLIENT_SLOW, Cause.CLIENT_GONE):
                self._cutting = True
                self._outlet.abandon()
            elif self._relay.aborted:
                self._cutting = True
                if out:
                    self._outlet.write(out)
            else:
                self._outlet.finish(out)
            self._linger()
        self._done.set_result(None)

    def _linger(self) -> None:
        if self._body is not None and self._relay.answer.ended:
            self._lingering = True
            self._body.resume()

    # -- time --

    def _arm(self) -> None:
        """Look again when the first limit may be over. One timer for all of them, and none for a read."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(max(self._due() - time.monotonic(), SOON), self._look)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _due(self) -> float:
        """When the next limit would be over if nothing came until then."""
        limits, started = self._attempt.model.timeouts, self._attempt.started
        if not self._relay.open:
            return started + min(limits.first, limits.total)
        due = started + limits.total
        if self._slow_since is not None:
            return min(due, self._slow_since + SLOW_CLIENT)  # nothing else is over before the client reads again
        if self._ping:
            due = min(due, max(self._last_read, self._last_ping) + PING)
        return min(due, self._last_read + self._patience)

    @property
    def _patience(self) -> float:
        """Seconds that an upstream may be silent."""
        return AFTER_FINISH if self._finishing else self._attempt.model.timeouts.idle

    @property
    def _busy(self) -> bool:
        """It is not the upstream who is waited for."""
        return self._outlet.waiting

    def _look(self) -> None:
        now = time.monotonic()
        if (over := self._over(now)) is not None:
            self.stop(over)
            return
        if self._ping and now >= max(self._last_read, self._last_ping) + PING and not self._outlet.waiting:
            # Proxies between here and the client end a stream that says nothing for long.
            self._last_ping = now
            self._outlet.write(self._ping)
        self._arm()

    def _over(self, now: float) -> Cause | None:
        """The limit that is over."""
        limits, started = self._attempt.model.timeouts, self._attempt.started
        if now >= started + limits.total:
            return Cause.DEADLINE
        if not self._relay.open:
            return Cause.FIRST_TIMEOUT if now >= started + limits.first else None
        if self._slow_since is not None and now >= self._slow_since + SLOW_CLIENT:
            return Cause.CLIENT_SLOW
        return Cause.IDLE if now >= self._last_read + self._patience and not self._busy else None


def failure_of(error: Exception) -> Failure:
    """The failure that an exception in the middle of an answer is."""
    if isinstance(error, GatewayError):
        return Failure(code=error.code, message=error.message, status=error.status, retryable=error.retryable)
    return Failure(code="plugin_error", message="The provider failed in the middle of the answer.", retryable=False)
