"""What an upstream's bytes say: cut into frames and read as events, or collected where they are no stream."""

import re
from collections.abc import Callable

from gateway.events import Event, Failure, Frame, FrameTooLarge
from gateway.protocols import UpstreamDialect

BODY_LIMIT = 1 << 20
"""Bytes of an answer that is no stream: as much as one event may have."""
_SPACE = b" \t\r\n"
_BOM = b"\xef\xbb\xbf"
_EVENT_STREAM = re.compile(rb":|(?:data|event|id|retry)[:\r\n]")
_LONGEST_FIELD = len(b"event:")


class Intake:
    """Reads one attempt's answer; what kind of body it is, is judged by content type and first bytes."""

    __slots__ = ("_body", "_dialect", "_feed", "_framing", "_reader")

    def __init__(self, dialect: UpstreamDialect, *, content_type: str, lenient: bool) -> None:
        self._dialect = dialect
        self._framing = dialect.framing(lenient=lenient)
        self._reader = dialect.reader(lenient=lenient)
        self._body = b""
        event_stream = content_type.partition(";")[0].strip().lower() == "text/event-stream"
        self._feed: Callable[[bytes], list[Event]] = self._sniff_stream if event_stream else self._sniff_any

    def feed(self, data: bytes) -> list[Event]:
        """The events of the frames that `data` completed; a partial frame waits."""
        return self._feed(data)

    def end(self) -> list[Event]:
        """What a complete HTTP message still holds: a last frame, or the body of an answer that is no stream."""
        if self._feed == self._frames:
            return self._read(self._framing.end())
        return self._dialect.read_answer(self._body, 200) if self._body else []

    def _sniff_stream(self, data: bytes) -> list[Event]:
        """Announced as an event stream: anything is one that does not begin like JSON or HTML."""
        self._body += data
        start = self._body.removeprefix(_BOM).lstrip(_SPACE)[:1]
        return self._decide(stream=start not in b"{[<") if start else []

    def _sniff_any(self, data: bytes) -> list[Event]:
        """Announced as something else, or not at all: an event stream begins with one of its fields."""
        self._body += data
        start = self._body.removeprefix(_BOM).lstrip(_SPACE)[:_LONGEST_FIELD]
        if _EVENT_STREAM.match(start):
            return self._decide(stream=True)
        return [] if len(start) < _LONGEST_FIELD else self._decide(stream=False)

    def _decide(self, *, stream: bool) -> list[Event]:
        data, self._body = self._body, b""
        self._feed = self._frames if stream else self._collect
        return self._feed(data)

    def _collect(self, data: bytes) -> list[Event]:
        self._body += data
        return [] if len(self._body) <= BODY_LIMIT else [_too_large()]

    def _frames(self, data: bytes) -> list[Event]:
        try:
            return self._read(self._framing.feed(data))
        except FrameTooLarge:
            return [_too_large()]

    def _read(self, frames: list[Frame]) -> list[Event]:
        if len(frames) == 1:
            return self._reader.read(frames[0])
        read = self._reader.read
        return [event for frame in frames for event in read(frame)]


def _too_large() -> Failure:
    return Failure(code="event_too_large", message="The upstream sent an event that is too large.")
