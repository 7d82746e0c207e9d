"""Turns what one upstream read brought into what the client is written; decides nothing about time or sockets."""

import re
from collections.abc import Callable, Sequence
from typing import Literal

from gateway.events import CONTENT, Answer, Cause, End, Event, Failure, Frame, FrameTooLarge
from gateway.protocols import ABORT, Framing, Reader, UpstreamDialect, Writer

BODY_LIMIT = 1 << 20
"""Bytes of an answer that is no stream: as much as one event may have."""
_SPACE = b" \t\r\n"
_BOM = b"\xef\xbb\xbf"
_EVENT_STREAM = re.compile(rb":|(?:data|event|id|retry)[:\r\n]")
_LONGEST_FIELD = len(b"event:")


class Relay:
    """One answer's way from upstream to client: reader, then writer (the translated lane).

    Output is held until the first content; `open` turns true then, and the status line may go out.
    A failure before that leaves `open` false and is found in `answer.failure`.
    """

    __slots__ = (
        "_body",
        "_feed",
        "_framing",
        "_held",
        "_reader",
        "_upstream",
        "_writer",
        "aborted",
        "answer",
        "closed",
        "open",
    )

    lane: Literal["translated"] = "translated"

    def __init__(
        self,
        upstream: UpstreamDialect | None,
        writer: Writer,
        answer: Answer,
        *,
        content_type: str = "",
        lenient: bool = False,
    ) -> None:
        self.answer = answer
        self.open = False
        self.closed = False
        """Nothing more will come out: the answer ended or failed."""
        self.aborted = False
        """The client can only be told by cutting its connection."""
        self._upstream = upstream
        self._writer = writer
        self._held = b""
        self._body = b""
        self._framing: Framing | None = None
        self._reader: Reader | None = None
        if upstream is not None:
            self._framing = upstream.framing(lenient=lenient)
            self._reader = upstream.reader(lenient=lenient)
        event_stream = content_type.partition(";")[0].strip().lower() == "text/event-stream"
        self._feed: Callable[[bytes], bytes] = self._sniff_stream if event_stream else self._sniff_any

    def feed(self, data: bytes) -> bytes:
        """What the bytes of one upstream read become; whole frames only, a partial frame waits."""
        return b"" if self.closed else self._feed(data)

    def take(self, events: Sequence[Event]) -> bytes:
        """The same for events: from providers that speak them, and from the reader."""
        if self.closed:
            return b""
        answer = self.answer
        failure: Failure | None = None
        for count, event in enumerate(events):
            answer.note(event)
            if isinstance(event, CONTENT):
                self.open = True
            elif isinstance(event, End):
                self.open = self.closed = True
                events = events[: count + 1]
                break
            elif isinstance(event, Failure):
                self.closed, failure = True, event
                events = events[:count]
                break
        out = self._writer.write(events) if events else b""
        if not self.open:
            self._held += out
            return b""
        if self._held:
            out, self._held = self._held + out, b""
        return out if failure is None else self._fail(out, failure)

    def end(self, cause: Cause) -> bytes:
        """No more will come; the answer itself judges whether it was complete."""
        if self.closed:
            return b""
        out = self._flush() if cause is Cause.EOF else b""
        return out + self.take([self.answer.verdict(cause)])

    def _fail(self, out: bytes, failure: Failure) -> bytes:
        tail = self._writer.failure(failure)
        if tail is ABORT:
            self.aborted = True
            return out
        return out + tail

    def _flush(self) -> bytes:
        """What a complete HTTP message still holds: a last frame, or the body of an answer that is no stream."""
        if self._upstream is None or self._framing is None:
            return b""
        if self._feed == self._frames:
            return self._read(self._framing.end())
        return self.take(self._upstream.read_answer(self._body, 200)) if self._body else b""

    # -- what kind of body is it: judged by content type and first bytes --

    def _sniff_stream(self, data: bytes) -> bytes:
        """Announced as an event stream: anything is one that does not begin like JSON or HTML."""
        self._body += data
        start = self._body.removeprefix(_BOM).lstrip(_SPACE)[:1]
        return self._decide(stream=start not in b"{[<") if start else b""

    def _sniff_any(self, data: bytes) -> bytes:
        """Announced as something else, or not at all: an event stream begins with one of its fields."""
        self._body += data
        start = self._body.removeprefix(_BOM).lstrip(_SPACE)[:_LONGEST_FIELD]
        if _EVENT_STREAM.match(start):
            return self._decide(stream=True)
        return b"" if len(start) < _LONGEST_FIELD else self._decide(stream=False)

    def _decide(self, *, stream: bool) -> bytes:
        data, self._body = self._body, b""
        self._feed = self._frames if stream else self._collect
        return self._feed(data)

    def _collect(self, data: bytes) -> bytes:
        self._body += data
        return b"" if len(self._body) <= BODY_LIMIT else self._too_large()

    def _too_large(self) -> bytes:
        return self.take([Failure(code="event_too_large", message="The upstream sent an event that is too large.")])

    def _frames(self, data: bytes) -> bytes:
        assert self._framing is not None
        try:
            frames = self._framing.feed(data)
        except FrameTooLarge:
            return self._too_large()
        return self._read(frames)

    def _read(self, frames: list[Frame]) -> bytes:
        assert self._reader is not None
        if len(frames) == 1:
            return self.take(self._reader.read(frames[0]))
        read = self._reader.read
        return self.take([event for frame in frames for event in read(frame)])
