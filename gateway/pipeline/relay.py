"""Turns what one upstream read brought into what the client is written; decides nothing about time or sockets."""

from collections.abc import Sequence
from typing import ClassVar

import msgspec

from gateway.domain import Exchange, Lane
from gateway.errors import Headers
from gateway.events import CONTENT, Answer, Cause, End, Event, Failure, Finish, Text, ToolCall
from gateway.pipeline.hiding import hidden, secrets_of
from gateway.pipeline.intake import Intake
from gateway.pipeline.observers import Observers
from gateway.pipeline.steps import Steps
from gateway.protocols import ABORT, Writer

_OPENING = (*CONTENT, End)


class Relay:
    """One answer's way from upstream to client: reader, steps, writer. The lanes that need less are its children.

    Output is held until the first content; `open` turns true then, and the status line may go out.
    A failure before that leaves `open` false and is found in `answer.failure`. Where a step waits (`waits`), use the
    `..._waiting` forms.
    """

    __slots__ = (
        "_called",
        "_held",
        "_intake",
        "_observers",
        "_steps",
        "_writer",
        "aborted",
        "answer",
        "closed",
        "exchange",
        "headers",
        "lane",
        "open",
    )

    whole: ClassVar[bool] = False
    """Whether the answer goes out in one piece, once it is complete."""

    def __init__(
        self,
        intake: Intake | None,
        writer: Writer,
        answer: Answer,
        *,
        steps: Steps | None = None,
        observers: Observers | None = None,
        lane: Lane = "translated",
    ) -> None:
        """Without an `intake` the provider speaks events, which come by `take`."""
        self.answer = answer
        self.open = False
        self.closed = False
        """Nothing more will come out: the answer ended or failed."""
        self.aborted = False
        """The client can only be told by cutting its connection."""
        self.lane = lane
        self.exchange: Exchange | None = None
        """Whose upstreams' secrets must not come out again in the words of a failure."""
        self.headers: Headers | None = None
        """Of the answer, where the upstream says what it is; None: those of the client's dialect."""
        self._called: set[int] = set()
        self._intake = intake
        self._writer = writer
        self._steps = steps
        self._observers = observers
        self._held = b""

    @property
    def waits(self) -> bool:
        """Whether a step of this answer waits."""
        return self._steps is not None and self._steps.wait

    def feed(self, data: bytes) -> bytes:
        """What the bytes of one upstream read become; whole frames only, a partial frame waits."""
        events = () if self.closed else self._read(data)
        return self.take(events) if events else b""

    def take(self, events: Sequence[Event]) -> bytes:
        """The same for events: from providers that speak them, and from the reader."""
        if self.closed:
            return b""
        events = self._note(events)
        if self._steps is not None:
            events = self._changed(events, self._steps.apply(events))
        return self._write(events)

    def end(self, cause: Cause) -> bytes:
        """No more will come; the answer itself judges whether it was complete."""
        out = self.take(self._rest(cause))
        return out if self.closed else out + self.take([self.answer.verdict(cause)])

    def fail(self, failure: Failure) -> bytes:
        """The answer broke on our side of the reader: no step is asked."""
        return b"" if self.closed else self._write(self._note([failure]))

    async def feed_waiting(self, data: bytes) -> bytes:
        """`feed`, waiting for the steps."""
        events = () if self.closed else self._read(data)
        return await self.take_waiting(events) if events else b""

    async def take_waiting(self, events: Sequence[Event]) -> bytes:
        """`take`, waiting for the steps."""
        if self.closed:
            return b""
        events = self._note(events)
        if self._steps is not None:
            events = self._changed(events, await self._steps.apply_waiting(events))
        return self._write(events)

    async def end_waiting(self, cause: Cause) -> bytes:
        """`end`, waiting for the steps."""
        out = await self.take_waiting(self._rest(cause))
        return out if self.closed else out + await self.take_waiting([self.answer.verdict(cause)])

    def opened(self, exchange: Exchange) -> None:
        """The status line is on its way, and the first content behind it."""
        if self._observers is not None:
            self._observers.opened(exchange)

    @property
    def ping(self) -> bytes:
        """What keeps an open stream alive while the upstream is silent; empty where nothing may."""
        return getattr(self._writer, "ping", b"")

    def _read(self, data: bytes) -> list[Event]:
        assert self._intake is not None
        return self._intake.feed(data)

    def _rest(self, cause: Cause) -> list[Event]:
        return self._intake.end() if cause is Cause.EOF and self._intake and not self.closed else []

    def _note(self, events: Sequence[Event]) -> list[Event]:
        """Take events into account, up to the one that ends the answer."""
        answer = self.answer
        if self._intake is None:
            events = self._completed(events)
        for event in events:
            if event.tell(answer):
                self.closed = True
                if event is not events[-1]:
                    events = events[: events.index(event) + 1]
                if isinstance(event, Finish) and answer.failure is not None:
                    events = [*events[:-1], answer.failure]
                break
        return events if isinstance(events, list) else list(events)

    def _completed(self, events: Sequence[Event]) -> Sequence[Event]:
        """A provider that speaks events need not count calls: a plain stop after one means it."""
        for count, event in enumerate(events):
            if isinstance(event, ToolCall):
                self._called.add(event.choice)
            elif isinstance(event, Finish) and _is_plain_stop(event) and event.choice in self._called:
                finish = msgspec.structs.replace(event, reason="tool_calls")
                events = [*events[:count], finish, *events[count + 1 :]]
        return events

    def _changed(self, before: list[Event], events: list[Event]) -> list[Event]:
        """What the steps made of it: a failure of theirs ends the answer, an end of the answer they cannot drop."""
        if events is not before:
            events = _without_old_tokens(before, events)
        for count, event in enumerate(events):
            if isinstance(event, Failure):
                self.answer.refused = self.answer.failure is None
                self.answer.note(event)
                self.closed = True
                return events[: count + 1]
        if self.closed and not (events and isinstance(events[-1], End)):
            return [*events, self.answer.failure or End()]
        return events

    def _write(self, events: list[Event]) -> bytes:
        failure = events[-1] if events and isinstance(events[-1], Failure) else None
        if not self.open:
            self.open = any(isinstance(event, _OPENING) for event in events)
        if self._observers is not None:
            self._observers.tell(events)
        if failure is not None:
            events = events[:-1]
        out = self._render(events) if events else b""
        if not self.open:
            self._held += out
            return b""
        if self._held:
            out, self._held = self._held + out, b""
        return out if failure is None else self._fail(out, failure)

    def _render(self, events: list[Event]) -> bytes:
        return self._writer.write(events)

    def _fail(self, out: bytes, failure: Failure) -> bytes:
        tail = self._writer.failure(failure)
        if tail is ABORT:
            self.aborted = True
            return out
        return out + hidden(tail, secrets_of(self.exchange) if self.exchange is not None else ())


def _without_old_tokens(before: list[Event], events: list[Event]) -> list[Event]:
    """Log probabilities spell out the tokens of a text: a text that was changed must not go out with the old ones."""
    untouched = {id(event) for event in before}
    return [
        msgspec.structs.replace(event, logprobs=None)
        if isinstance(event, Text) and event.logprobs is not None and id(event) not in untouched
        else event
        for event in events
    ]


def _is_plain_stop(finish: Finish) -> bool:
    return finish.reason == "stop" and finish.native is None
