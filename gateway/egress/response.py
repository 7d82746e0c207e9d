"""A response that is pushed: the egress' own `ByteStream`."""

import asyncio
from typing import TYPE_CHECKING, Protocol

from gateway.egress.body import Body
from gateway.egress.deadlines import Deadlines
from gateway.egress.faults import cut, malformed, not_http, stale, timed_out
from gateway.egress.message import Message
from gateway.errors import GatewayError, Headers

if TYPE_CHECKING:
    from gateway.protocols import ByteSink, ByteStream

HELD = 65_536
"""Body bytes kept for a taker who has not come yet; then the upstream has to wait."""


class Wire(Protocol):
    """What a response needs of its connection."""

    reused: bool

    def pause(self) -> None: ...
    def resume(self) -> None: ...
    def leave(self, *, reusable: bool) -> None:
        """The response is done with the connection: into the pool with it, or close it at once."""
        ...


class Response:
    """One response from the first byte to the end of its message.

    `start` pushes what already arrived before it returns, the end included. The connection is given back as soon as
    the message is complete; a sink hears nothing after `close()`. A message that breaks the protocol in its body ends
    with `UpstreamBroken` (`upstream_protocol`), one that just stops with `UpstreamReset`.
    """

    __slots__ = (
        "_ended",
        "_held",
        "_message",
        "_pending",
        "_sink",
        "_wire",
        "arrived",
        "deadlines",
        "error",
        "headers",
        "status",
    )

    def __init__(self, wire: Wire, message: Message, loop: asyncio.AbstractEventLoop, deadlines: Deadlines) -> None:
        self._wire: Wire | None = wire
        self._message = message
        self._sink: ByteSink | None = None
        self._pending: list[bytes] = []
        self._held = 0
        self._ended = False
        self.arrived: asyncio.Future[None] = loop.create_future()
        """Done once the head is there or will never be: look at `error`."""
        self.deadlines = deadlines
        self.error: GatewayError | None = None
        self.status = 0
        self.headers: Headers = ()

    def start(self, sink: "ByteSink") -> None:
        """Push the body into `sink`: what already arrived first, at once."""
        if self._held > HELD and self._wire is not None:
            self._wire.resume()
        self._sink = sink
        if self._pending:
            data = b"".join(self._pending)
            self._pending.clear()
            self._held = 0
            sink.move(data)
        if self._ended and self._sink is not None:
            self._sink = None
            sink.end(self.error)

    def pause(self) -> None:
        """Stop reading from the upstream until `resume()`."""
        if self._wire is not None:
            self._wire.pause()

    def resume(self) -> None:
        """Read on."""
        if self._wire is not None:
            self._wire.resume()

    async def read(self, limit: int) -> bytes:
        """The whole body, inside the attempt's limits of time.

        Raises `UpstreamBroken` above `limit` bytes, `UpstreamReset` when it is cut, `UpstreamTimeout`.
        """
        body = Body(limit, self.deadlines)
        try:
            self.start(body)
            return await body.whole()
        finally:
            self.close()

    def close(self) -> None:
        """Give the connection back if the message is complete, else close it at once. May be called twice."""
        self._sink = None
        self._ended = True
        self._pending.clear()
        if self._wire is not None:
            self._detach()

    # -- the connection calls these -----------------------------------------------------------------

    def receive(self, data: memoryview) -> None:
        """One read's bytes."""
        message = self._message
        body = message.feed(data)
        if not self.status and message.head:
            self.status, self.headers = message.status, message.headers
            self._announce()
        if body:
            sink = self._sink
            if sink is not None:
                sink.move(body)
            else:
                self._hold(body)
        if self._ended:
            return
        if message.complete:
            self.finish(None)
        elif message.error:
            self.finish(malformed(message.error) if message.head else not_http(message.error))

    def lost(self, error: Exception | None) -> None:
        """The connection ended, in order (None) or not."""
        message = self._message
        if error is None:
            message.eof()
        if message.complete:
            self.finish(None)
        elif self._wire is not None and self._wire.reused and not message.started:
            self.finish(stale())
        else:
            self.finish(cut(error))

    def expire(self) -> None:
        """The head did not come in time."""
        self.finish(timed_out("no response in time"))

    def finish(self, error: GatewayError | None) -> None:
        """End the response: with a complete message, or with what happened."""
        if self._ended:
            return
        self._ended = True
        self.error = error
        self._detach()
        self._announce()
        sink, self._sink = self._sink, None
        if sink is not None:
            sink.end(error)

    def _announce(self) -> None:
        if not self.arrived.done():
            self.arrived.set_result(None)

    def _hold(self, body: bytes) -> None:
        self._pending.append(body)
        self._held += len(body)
        if self._held > HELD:
            self.pause()

    def _detach(self) -> None:
        wire, self._wire = self._wire, None
        if wire is not None:
            message = self._message
            wire.leave(reusable=message.complete and message.reusable)
            message.close()


if TYPE_CHECKING:
    _: type[ByteStream] = Response
