"""One connection to one upstream."""

import asyncio
import select
from typing import TYPE_CHECKING, Protocol, cast

from gateway.egress.response import Response

_TOGETHER = 65_536
"""Bodies up to this size are copied behind the head: one packet instead of two."""


class Owner(Protocol):
    """Who keeps connections and hears what becomes of them."""

    def settle(self, connection: "Connection", *, reusable: bool) -> None: ...
    def lost(self, connection: "Connection") -> None: ...


class Connection(asyncio.BufferedProtocol):
    """Carries one exchange after the other.

    All connections of a client read into one buffer: its bytes are consumed before the callback returns, so an idle
    stream costs no buffer of its own.
    """

    __slots__ = ("_buffer", "_eyes", "_owner", "_paused", "_response", "_transport", "ended", "key", "reused")

    def __init__(self, owner: Owner, key: tuple[bytes, str], buffer: memoryview) -> None:
        self._owner = owner
        self._buffer = buffer
        self._transport: asyncio.Transport | None = None
        self._response: Response | None = None
        self._paused = False
        self._eyes: select.poll | None = None
        self.key = key
        self.reused = False
        self.ended = False

    def send(self, response: Response, head: bytes, body: bytes) -> None:
        """Write the request that `response` will answer."""
        transport = self._transport
        if self.ended or transport is None:
            response.lost(None)
            return
        self._response = response
        if len(body) <= _TOGETHER:
            transport.write(head + body)
        else:
            transport.write(head)
            transport.write(body)

    def usable(self) -> bool:
        """Whether an idle connection can carry a request: open, and with nothing to read.

        Anything to read on an idle connection is its end or bytes nobody asked for. The event loop tells that too,
        but perhaps only after this request was written.
        """
        transport = self._transport
        if self.ended or transport is None or transport.is_closing():
            return False
        if self._eyes is None:
            self._eyes = select.poll()
            self._eyes.register(transport.get_extra_info("socket").fileno(), select.POLLIN)
        return not self._eyes.poll(0)

    def abort(self) -> None:
        """Close the socket at once."""
        if self._transport is not None and not self.ended:
            self._transport.abort()

    # -- the response calls these -------------------------------------------------------------------

    def pause(self) -> None:
        """Stop reading."""
        transport = self._transport
        if transport is not None and not self._paused and not transport.is_closing():
            self._paused = True
            transport.pause_reading()

    def resume(self) -> None:
        """Read on."""
        transport = self._transport
        if transport is not None and self._paused:
            self._paused = False
            if not transport.is_closing():
                transport.resume_reading()

    def leave(self, *, reusable: bool) -> None:
        """The response is done with this connection."""
        self._response = None
        transport = self._transport
        reusable = reusable and transport is not None and not self.ended and not transport.is_closing()
        # A request that was answered before it was wholly written leaves its rest behind.
        if reusable and transport is not None and not transport.get_write_buffer_size():
            self.reused = True
            if self._paused:
                self.resume()
            self._owner.settle(self, reusable=True)
        else:
            self._owner.settle(self, reusable=False)

    # -- the event loop calls these -----------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection stands."""
        self._transport = cast(asyncio.Transport, transport)
        limit = getattr(transport, "set_read_buffer_limits", None)
        if limit is not None:
            limit(len(self._buffer))  # TLS only: else it would take 256 KiB more while we are paused.

    def get_buffer(self, sizehint: int) -> memoryview:
        """Where the next read goes."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """A read has come."""
        response = self._response
        if response is None:
            self.abort()  # Nobody asked for these bytes.
        else:
            response.receive(self._buffer[:nbytes])

    def eof_received(self) -> None:
        """The upstream will send no more: so there is nothing left to say to it."""
        self._end(None)
        self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone."""
        self._end(exc)
        self.ended = True
        self._transport = None
        self._owner.lost(self)

    def _end(self, error: Exception | None) -> None:
        if self._response is not None:
            self._response.lost(error)


if TYPE_CHECKING:
    from gateway.egress.response import Wire

    _: type[Wire] = Connection
