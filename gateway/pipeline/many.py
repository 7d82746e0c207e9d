"""Reads that bring many frames: what can be said of all of them at once is, and the rest is cut."""

from abc import abstractmethod
from collections.abc import Callable, Iterator
from typing import Any

from gateway.events import Text
from gateway.pipeline.intake import Intake
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
    """For a client to whom texts just follow each other: those that one read brings are written as one."""

    __slots__ = ("_join",)

    _join: Callable[[bytes], tuple[str, int] | None] | None

    def __init__(self, intake: Intake, *arguments: Any, **named: Any) -> None:
        super().__init__(intake, *arguments, **named)
        self._source = intake
        self._join = None

    @property
    def _flowing(self) -> bool:
        return self._join is not None and not self.closed

    def _at_once(self, data: bytes) -> bytes | None:
        if self._join is None or self.closed or (joined := self._join(data)) is None:
            return None
        text, count = joined
        self.answer.deltas += count
        self.answer.seen.add(0)
        return self._writer.write([Text(text=text)])

    def _cut(self, data: bytes) -> bytes:
        events = () if self.closed else self._source.feed(data)
        out = self.take(events) if events else b""
        if self._join is None and self.open:
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
