"""Reads that bring many frames: what can be said of all of them at once is, and the rest is cut."""

from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from gateway.events import Text
from gateway.pipeline.intake import Intake
from gateway.pipeline.observers import Observers
from gateway.pipeline.relay import Relay

_BLANK = b"\n\n"
_FEW = 1000
"""Bytes of a read below which it is as cheap to cut its frames: it is one, or a few small ones."""
_APART = 3
"""Events that may say more than a delta where a read begins (a role, half an event) and where it ends (a finish reason,
usage, the end)."""


class ManyRelay(Relay):
    """What a read's frames become at once where they only go on, and one by one where any of them does more.

    It does not matter where reads split, so a read may be split here: its first and last events are fed by themselves.
    """

    __slots__ = ("_source",)

    _source: Intake

    def feed(self, data: bytes) -> bytes:
        """What the bytes of one upstream read become; whole frames only, a partial frame waits."""
        if len(data) < _FEW:
            return self._cut(data)
        if (passed := self._at_once(data)) is not None:
            return passed
        out: list[bytes] = []
        for _ in range(_APART):
            if self._flowing and not self._source.holds:
                break
            end = data.find(_BLANK) + len(_BLANK)
            if not len(_BLANK) <= end < len(data):
                break
            out.append(self._cut(data[:end]))
            data = data[end:]
        for end in _ends(data):
            if (passed := self._at_once(data[:end])) is not None:
                out.append(passed)
                data = data[end:]
                break
        out.append(self._cut(data))
        return out[0] if len(out) == 1 else b"".join(out)

    @property
    @abstractmethod
    def _flowing(self) -> bool:
        """Whether it can be said of many frames at once now that they only go on."""

    @abstractmethod
    def _at_once(self, data: bytes) -> bytes | None:
        """What whole frames become that only go on; None where they do more, or where that cannot be said."""

    @abstractmethod
    def _cut(self, data: bytes) -> bytes:
        """What frames become one by one."""


class JoiningRelay(ManyRelay):
    """For a client to whom texts just follow each other: those that one read brings are written as one.

    Who observes deltas is told each of them.
    """

    __slots__ = ("_hear", "_join", "_watched")

    _join: Callable[[bytes], tuple[str, int] | None] | None
    """Tells the text of many frames at once, as soon as the answer has begun,"""
    _hear: Callable[[bytes], Sequence[Text] | None] | None
    """or what they say one by one, where somebody observes that."""

    def __init__(self, intake: Intake, *arguments: Any, observers: Observers | None, **named: Any) -> None:
        super().__init__(intake, *arguments, observers=observers, **named)
        self._source = intake
        self._watched = observers is not None and observers.wants_content
        self._join = self._hear = None

    @property
    def _flowing(self) -> bool:
        return not self.closed and (self._join is not None or self._hear is not None)

    def _at_once(self, data: bytes) -> bytes | None:
        if self.closed or self.answer.finish:
            return None
        if self._hear is not None:
            return None if (texts := self._hear(data)) is None else self._told(texts)
        if self._join is None or (joined := self._join(data)) is None:
            return None
        text, count = joined
        self.answer.deltas += count
        self.answer.seen.add(0)
        return self._writer.write([Text(text=text)])

    def _told(self, events: Sequence[Text]) -> bytes:
        for event in events:
            event.tell(self.answer)
        if self._observers is not None:
            self._observers.tell(events)
        if any(event.choice for event in events):
            return self._writer.write(events)
        return self._writer.write([Text(text="".join([event.text for event in events]))])

    def _cut(self, data: bytes) -> bytes:
        events = () if self.closed else self._source.feed(data)
        out = self.take(events) if events else b""
        if self.open and not self._flowing:
            if self._watched:
                self._hear = self._source.reading()
            else:
                self._join = self._source.joining()
        return out


def _ends(data: bytes) -> Iterator[int]:
    """Where many deltas may end: behind the last whole event, or before the last few, which may say more."""
    end = data.rfind(_BLANK) + len(_BLANK)
    if len(_BLANK) <= end < len(data):
        yield end
    for _ in range(_APART):
        end = data.rfind(_BLANK, 0, max(0, end - len(_BLANK))) + len(_BLANK)
    if end >= len(_BLANK):
        yield end
