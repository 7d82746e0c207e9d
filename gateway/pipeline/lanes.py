"""The lanes that need no translation, and whole answers: what a relay does where both sides speak one dialect."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar, cast

from gateway.domain import Lane
from gateway.events import (
    CONTENT,
    Answer,
    Cause,
    End,
    Event,
    Failure,
    Frame,
    FrameTooLarge,
    Reasoning,
    Refusal,
    Start,
    Text,
    ToolCall,
    Usage,
)
from gateway.parts import Collected
from gateway.pipeline.intake import Intake, too_large
from gateway.pipeline.many import JoiningRelay, ManyRelay
from gateway.pipeline.names import Naming
from gateway.pipeline.observers import Observers
from gateway.pipeline.relay import Relay
from gateway.pipeline.steps import Steps
from gateway.protocols import AnswerWriter, ByteUpstream, ClientDialect, Upstream, Writer
from gateway.requests import ChatRequest

_OPENING = (*CONTENT, End)
_DELTAS = frozenset((Text, Reasoning, Refusal, ToolCall))
"""Events that only go on with an open answer."""
_COUNTING = ("chat", "")
"""Dialects in which `n` asks for several choices; events are a client library's of chat completions."""
_NOTHING: Mapping[str, Any] = MappingProxyType({})
_Look = Callable[[Frame], Sequence[Event]]


def relay_for(
    upstream: Upstream,
    dialect: ClientDialect,
    request: ChatRequest,
    *,
    steps: Steps | None,
    observers: Observers | None,
    naming: Naming | None = None,
    defaults: Mapping[str, Any] = _NOTHING,
) -> Relay:
    """The relay of one attempt: the cheapest that tells the truth. `naming` names an answer that its upstream keeps.

    `defaults` is what the model's row adds to the request where the client says nothing.
    """
    spoken, intake = "", None
    if isinstance(upstream, ByteUpstream):
        spoken = upstream.dialect.name
        content_type = next((value for name, value in upstream.body.headers if name == "content-type"), "")
        intake = Intake(upstream.dialect, content_type=content_type, lenient=dialect.lenient)
    expected = request.choices
    if "n" in defaults and spoken in _COUNTING and "n" not in request.fields and isinstance(defaults["n"], int):
        expected *= max(1, defaults["n"])
    answer = Answer(expected, dialect=spoken)
    same = spoken == dialect.name
    answer.is_translated = not same

    def written() -> Writer:
        writer = dialect.writer(request, spoken)
        if same and intake is not None and hasattr(writer, "follow"):
            writer.follow(intake.reader, naming.told if naming is not None else str)
        return writer

    if not request.stream:
        late = cast("Writer", LateWriter(written))
        return WholeRelay(intake, late, answer, steps=steps, observers=observers, same=same, naming=naming)
    writer = written()
    same = same and hasattr(writer, "end_marker")
    if same and steps is None:
        withholds = request.adds_usage
        return ExactRelay(intake, writer, answer, observers=observers, withholds_usage=withholds, naming=naming)
    if same and hasattr(writer, "patch"):
        return ParsedRelay(intake, writer, answer, steps=steps, observers=observers, withholds_usage=request.adds_usage)
    lane: Lane = "parsed" if same else "translated"
    if intake is not None and steps is None and getattr(writer, "joins", False):
        return JoiningRelay(intake, writer, answer, observers=observers, lane=lane)
    return Relay(intake, writer, answer, steps=steps, observers=observers, lane=lane)


class LateWriter:
    """A writer that is made once it is asked anything: a whole answer mostly passes without."""

    __slots__ = ("_made", "_make")

    def __init__(self, make: Callable[[], Writer]) -> None:
        self._make = make
        self._made: Writer | None = None

    def __getattr__(self, name: str) -> Any:
        if self._made is None:
            self._made = self._make()
        return getattr(self._made, name)


class ExactRelay(ManyRelay):
    """Nobody changes anything: frames go out as they came, and are looked at as little as the truth needs.

    Until the first content every frame is read in full; after it only its end, usage and errors, unless somebody
    observes more. Where a dialect can say that of all frames of a read at once, they are not even cut.
    """

    __slots__ = ("_flows", "_hear", "_look", "_naming", "_pick", "_skim", "_skims", "_withholds_usage")

    def __init__(
        self,
        intake: Intake | None,
        writer: Writer,
        answer: Answer,
        *,
        observers: Observers | None,
        withholds_usage: bool,
        naming: Naming | None = None,
    ) -> None:
        super().__init__(intake, writer, answer, observers=observers, lane="exact")
        self._naming = naming
        assert intake is not None
        self._source = intake
        self._flows = False
        """Nothing is held any more."""
        read: _Look = intake.reader.read
        self._look: _Look = read
        skim: _Look = getattr(intake.reader, "skim", read)
        self._skims = observers is None or not observers.wants_content
        self._pick: _Look = skim if self._skims else read
        self._skim: Callable[[bytes], int] | None = None
        """Tells of many frames at once that they only go on, as soon as that is all that is looked for."""
        self._hear: Callable[[bytes], Sequence[Event] | None] | None = None
        """Tells what many frames say at once, as soon as somebody observes them."""
        self._withholds_usage = withholds_usage

    @property
    def _flowing(self) -> bool:
        return not self.closed and (self._skim is not None or self._hear is not None)

    def _at_once(self, data: bytes) -> bytes | None:
        if self.closed:
            return None
        if self._skim is not None:
            if not (count := self._skim(data)):
                return None
            self.answer.deltas += count
            self.answer.seen.add(0)
            return data
        if self._hear is None or (events := self._hear(data)) is None:
            return None
        for event in events:
            event.tell(self.answer)
        if self._observers is not None:
            self._observers.tell(events)
        return data

    def _cut(self, data: bytes) -> bytes:
        try:
            frames = self._source.cut(data)
        except FrameTooLarge:
            return self.take([too_large()])
        if not self._flows:
            return self._open_with(frames)
        return self._pass(frames[0]) if len(frames) == 1 else b"".join([self._pass(frame) for frame in frames])

    def end(self, cause: Cause) -> bytes:
        """No more will come; a proper end that the upstream left out is added."""
        if self.closed:
            return b""
        return self._ended(self.take(rest) if (rest := self._rest(cause)) else b"", cause)

    def _ended(self, out: bytes, cause: Cause) -> bytes:
        if self.closed:
            return out
        verdict = self.answer.verdict(cause)
        if isinstance(verdict, Failure):
            return out + self.take([verdict])
        self.closed = True
        if self._observers is not None:
            self._observers.tell([verdict])
        return out + cast("AnswerWriter", self._writer).end_marker

    def _pass(self, frame: Frame) -> bytes:
        """One frame on its way out; a failure ends the stream in the client's words, never in the upstream's bytes."""
        if self.closed:
            return b""
        events = self._look(frame)
        if not events:
            self.answer.deltas += 1
            self.answer.seen.add(0)
            return frame.raw
        if self.open and len(events) == 1 and type(events[0]) in _DELTAS:
            events[0].tell(self.answer)
            if self._observers is not None:
                self._observers.tell_one(events[0])
            return frame.raw
        events = self._note(events)
        if isinstance(events[-1], Failure):
            return self._write(events)
        if not self.open and any(isinstance(event, _OPENING) for event in events):
            self.open = True
            self._look = self._pick
            if self._skims:
                self._skim = self._source.skimming()
            else:
                self._hear = self._source.reading()
        if self.answer.finish:  # what comes behind a finish may take it back
            self._look, self._skim, self._hear = self._source.reader.read, None, None
        if self._observers is not None:
            self._observers.tell(events)
        if self._withholds_usage and all(isinstance(event, Usage) for event in events):
            return b""
        if self._naming is not None and (isinstance(events[0], Start) or isinstance(events[-1], End)):
            return self._naming.spliced(frame.raw, self.answer.name)
        return frame.raw

    def _open_with(self, frames: Sequence[Frame]) -> bytes:
        """Hold what these say, or let it go behind what was held: in their order, also where the last one fails."""
        held, self._held = self._held, b""
        out = held + b"".join([self._pass(frame) for frame in frames])
        if self.open:
            self._flows = True
            return out
        self._held = out
        return b""


class ParsedRelay(Relay):
    """Steps may change events of a dialect whose frames stand alone: untouched frames go out as they came."""

    __slots__ = ("_frames", "_withholds_usage")

    def __init__(
        self,
        intake: Intake | None,
        writer: Writer,
        answer: Answer,
        *,
        steps: Steps | None,
        observers: Observers | None,
        withholds_usage: bool,
    ) -> None:
        super().__init__(intake, writer, answer, steps=steps, observers=observers, lane="parsed")
        self._frames: dict[int, list[Event]] = {}
        """What the frames of this read said, by the identity of the frame."""
        self._withholds_usage = withholds_usage

    def _read(self, data: bytes) -> list[Event]:
        assert self._intake is not None
        try:
            frames = self._intake.cut(data)
        except FrameTooLarge:
            return [too_large()]
        self._frames = {id(frame): self._intake.reader.read(frame) for frame in frames}
        return [event for events in self._frames.values() for event in events]

    def _render(self, events: list[Event]) -> bytes:
        out, start = [], 0
        for at in range(1, len(events) + 1):
            if at == len(events) or events[at].source is not events[start].source:
                out.append(self._frame(events[start:at]))
                start = at
        return b"".join(out)

    def _frame(self, events: list[Event]) -> bytes:
        """Events of one frame, or of none: the frame itself, the frame with changes, or frames of our own."""
        frame = events[0].source
        before = self._frames.get(id(frame), ())
        if (
            frame is not None
            and len(before) == len(events)
            and all(a is b for a, b in zip(before, events, strict=True))
        ):
            return b"" if self._withholds_usage and all(isinstance(e, Usage) for e in events) else frame.raw
        if isinstance(events[-1], End):
            # The end of a stream that said none, or whose last line the connection's end cut short.
            return self._writer.write(events[:-1]) + cast("AnswerWriter", self._writer).end_marker
        if frame is None:
            return self._writer.write(events)
        patch: Callable[[Frame, Sequence[Event]], bytes] = cast("Any", self._writer).patch
        return patch(frame, events)


class WholeRelay(Relay):
    """A client that asked for no stream gets the whole answer, or an error with a status: nothing in between.

    Where both sides speak one dialect and nothing was changed, the upstream's body is the client's.
    """

    __slots__ = ("_naming", "_same", "_unchanged")

    whole: ClassVar[bool] = True

    def __init__(
        self,
        intake: Intake | None,
        writer: Writer,
        answer: Answer,
        *,
        steps: Steps | None,
        observers: Observers | None,
        same: bool,
        naming: Naming | None = None,
    ) -> None:
        lane: Lane = "translated" if not same else "exact" if steps is None else "parsed"
        super().__init__(intake, writer, answer, steps=steps, observers=observers, lane=lane)
        if intake is not None:
            intake.expect_whole()
        self._same = same
        self._naming = naming
        self._unchanged = True

    @property
    def ping(self) -> bytes:
        """Nothing: the status is still to come."""
        return b""

    def _changed(self, before: list[Event], events: list[Event]) -> list[Event]:
        self._unchanged = self._unchanged and events is before
        return super()._changed(before, events)

    def _write(self, events: list[Event]) -> bytes:
        if self._observers is not None:
            self._observers.tell(events)
        ended = bool(events) and type(events[-1]) is End
        self.open = self.open or ended
        # A body is read in one go, at its end: what all of it says is only asked for where it cannot pass.
        body = self._intake.body if ended and self._same and self._intake is not None else b""
        if not (body and self._unchanged):
            self._collect(events)
            if not ended:
                return b""
            writer = cast("AnswerWriter", self._writer)
            if not (body and hasattr(writer, "patch_answer")):
                return writer.answer(self.answer)
            body = cast("bytes", cast("Any", writer).patch_answer(body, self.answer))
        return body if self._naming is None else self._naming.spliced(body, self.answer.name)

    def _collect(self, events: list[Event]) -> None:
        collected = self.answer.collected
        if collected is None:
            collected = self.answer.collected = Collected()
        for event in events:
            collected.note(event)
