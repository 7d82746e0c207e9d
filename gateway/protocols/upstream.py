"""What an upstream gives: bytes in a dialect, or events."""

from collections.abc import AsyncIterator, Sequence
from typing import Protocol, TypeAlias

from gateway.domain import Model
from gateway.errors import GatewayError, Headers
from gateway.events import Event, Frame
from gateway.requests import ChatRequest


class ByteSink(Protocol):
    """Takes an upstream's body as it arrives; called from the event loop, must not block."""

    def move(self, data: bytes) -> None:
        """The bytes of one read."""
        ...

    def end(self, error: GatewayError | None) -> None:
        """No more bytes: None after a complete HTTP message, else what happened. Called once."""
        ...


class ByteStream(Protocol):
    """One upstream response whose head has arrived. Take the body once: by `start` or by `read`."""

    status: int
    headers: Headers
    """In the order received, names in lower case."""

    def start(self, sink: ByteSink) -> None:
        """Push the body into `sink`: what already arrived first, at once."""
        ...

    def pause(self) -> None:
        """Stop reading from the upstream until `resume()`."""
        ...

    def resume(self) -> None:
        """Read on."""
        ...

    async def read(self, limit: int) -> bytes:
        """The whole body; raises `UpstreamBroken` above `limit` bytes, `UpstreamReset` when it is cut."""
        ...

    def close(self) -> None:
        """Give the connection back if the message is complete, else close it at once. May be called twice."""
        ...


class ByteUpstream:
    """An answer as bytes in a dialect: what nearly every provider returns."""

    __slots__ = ("body", "dialect")

    def __init__(self, dialect: "UpstreamDialect", body: ByteStream) -> None:
        self.dialect = dialect
        self.body = body


class EventUpstream:
    """An answer as events, for providers that have no bytes to show."""

    __slots__ = ("events",)

    def __init__(self, events: AsyncIterator[Event]) -> None:
        self.events = events


Upstream: TypeAlias = ByteUpstream | EventUpstream


class Framing(Protocol):
    """Cuts an upstream's bytes into frames; one per attempt."""

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that `data` completed; a partial one waits. Raises `FrameTooLarge` above its limit."""
        ...

    def end(self) -> list[Frame]:
        """What the end of a complete HTTP message completes."""
        ...


class Reader(Protocol):
    """Reads frames of one attempt as events; synchronous, may keep state."""

    def read(self, frame: Frame) -> list[Event]:
        """What the frame says, at least one `Opaque`. A frame it cannot read is a `Failure`."""
        ...


class SkimmingReader(Reader, Protocol):
    """A reader that can also look at a frame only as far as must be known while its bytes pass.

    Optional method `skim_lines(lines: bytes, count: int) -> bool`: whether these are the data of so many frames, a line
    each, and `skim` would say nothing of any of them. It is asked where the framing has `lines` and `holds`, as
    `gateway.wire.sse.Sse` has: then a read of many frames is not cut.

    Optional method `read_lines(lines: bytes, frames: Sequence[Frame]) -> Sequence[Text] | None`: what `read` would say
    of all these frames, whose data are the lines, where each is a piece of an open answer; else None. It is asked there
    in place of `read` where somebody observes more than how an answer begins and ends.
    """

    def skim(self, frame: Frame) -> Sequence[Event]:
        """As `read`, but nothing of a plain delta: no event then."""
        ...


class UpstreamDialect(Protocol):
    """The upstream half of a wire format.

    Optional attribute `media_type`: how its streams are announced, where they are no `text/event-stream`. Anything
    announced otherwise is then a whole body.
    """

    @property
    def name(self) -> str:
        """What `Writer`s are chosen by and usage is told by."""
        ...

    def framing(self, *, lenient: bool = False) -> Framing:
        """A fresh cutter; lenient replaces invalid UTF-8 by U+FFFD instead of refusing it."""
        ...

    def reader(self, *, lenient: bool = False) -> Reader:
        """A fresh reader; lenient ignores what the custom route's original ignored."""
        ...

    def write_request(self, request: ChatRequest, model: Model) -> bytes:
        """The body to send."""
        ...

    def read_answer(self, body: bytes, status: int) -> list[Event]:
        """A whole body that is no stream, as events: a completion, or one `Failure`."""
        ...
