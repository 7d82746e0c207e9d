"""What an upstream's bytes say: cut into frames and read as events, or collected where they are no stream."""

import re
from collections.abc import Callable, Sequence

from gateway.events import Event, Failure, Frame, FrameTooLarge, Text
from gateway.protocols import Framing, Reader, UpstreamDialect

BODY_LIMIT = 1 << 20
"""Bytes of an answer that is no stream although one was asked for: as much as one event may have."""
WHOLE_LIMIT = 1 << 26
"""Bytes of a whole answer that was asked for."""
_SPACE = b" \t\r\n"
_BLANK = b"\n\n"
_BOM = b"\xef\xbb\xbf"
_SSE = "text/event-stream"
_EVENT_STREAM = re.compile(rb":|(?:data|event|id|retry)[:\r\n]")
_LONGEST_FIELD = len(b"event:")
_Lines = Callable[[bytes], tuple[bytes, int] | None]
"""What whole frames say, a line each, and how many they are."""
_Read = Callable[[bytes, Sequence[Frame]], Sequence[Text] | None]


class _Whole:
    """Collects an answer that is no stream."""

    __slots__ = ("limit", "pieces", "size")

    def __init__(self) -> None:
        self.limit = BODY_LIMIT
        self.pieces: list[bytes] = []
        self.size = 0

    def keep(self, data: bytes) -> list[Frame]:
        """No frame: one more piece. Raises `FrameTooLarge`."""
        self.pieces.append(data)
        self.size += len(data)
        if self.size > self.limit:
            self.pieces.clear()
            raise FrameTooLarge(self.limit)
        return []


class Intake:
    """Reads one attempt's answer; what kind of body it is, is judged by content type and first bytes."""

    __slots__ = ("_dialect", "_framing", "_lenient", "_reader", "_whole", "cut")

    def __init__(self, dialect: UpstreamDialect, *, content_type: str, lenient: bool) -> None:
        self._dialect = dialect
        self._lenient = lenient
        self._framing: Framing | None = None
        """What cuts it, as soon as it is known to be a stream."""
        self._reader: Reader | None = None
        self._whole = _Whole()
        self.cut: Callable[[bytes], list[Frame]] = self._first_cut(content_type.partition(";")[0].strip().lower())
        """The frames that some bytes complete, none of an answer that is no stream; raises `FrameTooLarge`.

        Another one as soon as it is known what the answer is: then none of this object's own, which would keep each
        other until the garbage collector comes.
        """

    def expect_whole(self) -> None:
        """An answer that is no stream was asked for: it may be longer than one that comes in place of a stream."""
        self._whole.limit = WHOLE_LIMIT

    @property
    def reader(self) -> Reader:
        """What reads its frames, where it is a stream."""
        if self._reader is None:
            self._reader = self._dialect.reader(lenient=self._lenient)
        return self._reader

    @property
    def holds(self) -> bool:
        """Whether a frame has begun whose end is still to come, as far as its framing can say."""
        return getattr(self._framing, "holds", False)

    def skimming(self) -> Callable[[bytes], int] | None:
        """Tells how many whole frames some bytes are; 0 if they are not, or if one does more than go on.

        It feeds nothing. None where the framing does not tell whole frames by lines, or the reader cannot skim those.
        """
        lines: _Lines | None = getattr(self._framing, "lines", None)
        skim: Callable[[bytes, int], bool] | None = getattr(self.reader, "skim_lines", None)
        if lines is None or skim is None:
            return None

        def skimmed(data: bytes) -> int:
            told = lines(data)
            return told[1] if told is not None and skim(*told) else 0

        return skimmed

    def reading(self) -> Callable[[bytes], Sequence[Text] | None] | None:
        """Tells the pieces of text that whole frames are; None if they are not, or if one says more.

        It feeds nothing. None where the framing does not tell whole frames by lines, or the reader cannot read those.
        """
        lines: _Lines | None = getattr(self._framing, "lines", None)
        read: _Read | None = getattr(self.reader, "read_lines", None)
        if lines is None or read is None:
            return None

        def heard(data: bytes) -> Sequence[Text] | None:
            told = lines(data)
            if told is None:
                return None
            blocks, said = data[: -len(_BLANK)].split(_BLANK), told[0].split(b"\n")
            return read(told[0], [Frame(block + _BLANK, one) for block, one in zip(blocks, said, strict=True)])

        return heard

    def joining(self) -> Callable[[bytes], tuple[str, int] | None] | None:
        """Tells the text of whole frames, and how many they are; None if they are not, or if one says more.

        It feeds nothing. None where the framing does not tell whole frames by lines, or the reader cannot join those.
        """
        lines: _Lines | None = getattr(self._framing, "lines", None)
        join: Callable[[bytes, int], str | None] | None = getattr(self.reader, "join_lines", None)
        if lines is None or join is None:
            return None

        def joined(data: bytes) -> tuple[str, int] | None:
            told = lines(data)
            if told is None or (text := join(*told)) is None:
                return None
            return text, told[1]

        return joined

    @property
    def body(self) -> bytes:
        """The answer so far where it is no stream."""
        pieces = self._whole.pieces
        if len(pieces) == 1:
            return pieces[0]
        body = b"".join(pieces)
        if body:
            self._whole.pieces = [body]
        return body

    def feed(self, data: bytes) -> list[Event]:
        """The events of the frames that `data` completed; a partial frame waits."""
        try:
            return self._read(self.cut(data))
        except FrameTooLarge:
            return [too_large()]

    def end(self) -> list[Event]:
        """What a complete HTTP message still holds: a last frame, or the body of an answer that is no stream."""
        if self._framing is not None:
            try:
                return self._read(self._framing.end())
            except FrameTooLarge:
                return [too_large()]
        return self._dialect.read_answer(self.body, 200) if self._whole.pieces else []

    def _first_cut(self, media_type: str) -> Callable[[bytes], list[Frame]]:
        streamed = getattr(self._dialect, "media_type", _SSE)
        if streamed == _SSE:
            return self._sniff_stream if media_type == _SSE else self._sniff_any
        return self._streaming() if media_type == streamed else self._whole.keep

    def _streaming(self) -> Callable[[bytes], list[Frame]]:
        self._framing = self._dialect.framing(lenient=self._lenient)
        return self._framing.feed

    def _sniff_stream(self, data: bytes) -> list[Frame]:
        """Announced as an event stream: anything is one that does not begin like JSON or HTML."""
        self._whole.keep(data)
        start = self.body.removeprefix(_BOM).lstrip(_SPACE)[:1]
        return self._decide(stream=start not in b"{[<") if start else []

    def _sniff_any(self, data: bytes) -> list[Frame]:
        """Announced as something else, or not at all: an event stream begins with one of its fields."""
        self._whole.keep(data)
        start = self.body.removeprefix(_BOM).lstrip(_SPACE)[:_LONGEST_FIELD]
        if _EVENT_STREAM.match(start):
            return self._decide(stream=True)
        return [] if len(start) < _LONGEST_FIELD else self._decide(stream=False)

    def _decide(self, *, stream: bool) -> list[Frame]:
        if not stream:
            self.cut = self._whole.keep
            return []
        data, self._whole.pieces = self.body, []
        self.cut = self._streaming()
        return self.cut(data)

    def _read(self, frames: list[Frame]) -> list[Event]:
        read = (self._reader or self.reader).read
        if len(frames) == 1:
            return read(frames[0])
        return [event for frame in frames for event in read(frame)]


def too_large() -> Failure:
    """The failure of an answer whose event, or whole body, is larger than it may be."""
    return Failure(code="event_too_large", message="The upstream sent an event that is too large.")
