"""What the gateway itself says in an answer that passes unread: only that it broke."""

from collections.abc import Sequence
from typing import Final

from gateway.events import Answer, Event, Failure
from gateway.wire.envelope import failure_envelope


class PlainWriter:
    """Writes the failure of an event stream; everything else is the upstream's."""

    __slots__ = ()

    end_marker: Final = b""
    ping: Final = b": ping\n\n"

    def write(self, events: Sequence[Event]) -> bytes:
        """Nothing: these answers have no events to be written from."""
        return b""

    def failure(self, failure: Failure) -> bytes:
        """The visible end of a broken event stream: an error event, which the SDKs raise, then the end."""
        return b"data: " + failure_envelope(failure) + b"\n\ndata: [DONE]\n\n"

    def answer(self, answer: Answer) -> bytes:
        """Nothing, as `write`."""
        return b""
