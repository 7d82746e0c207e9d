"""Who is let in at all: decided before a request's body is read, by what this process carries already."""

import asyncio
import time
from collections.abc import Callable
from typing import Final

import msgspec

from gateway.errors import Overloaded

AGAIN: Final = 1.0
"""Seconds after which a refused client may come again."""
_LOOK: Final = 0.05
"""Seconds between two looks at the event loop."""
_BURST: Final = 0.5
"""Seconds for which the loop may be as late as is allowed; what a burst leaves behind is done by then."""
_STANDING: Final = 0.1
"""The part of the allowed lag that may last,"""
_BUSY: Final = 0.8
"""while the loop's own work takes this share of a core: where others take the core, fewer exchanges would not help."""
_ALWAYS: Final = 64
"""Exchanges that are let in however late the loop is: so few are not why it is."""
_FAST: Final = 20
"""The limit rises by this part of it at each look while nobody is refused,"""
_SLOW: Final = 100
"""and by this one while somebody is."""
_FULL: Final = Overloaded("The gateway is overloaded. Try again in a moment.", retry_after=AGAIN)
"""One for all who are refused: it is told, never raised."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How much one process carries."""

    in_flight: int = 10_000
    """Exchanges at one time."""
    lag: float = 0.25
    """Seconds that the event loop may be late for a moment; a tenth of it all the time."""


class LoopLag:
    """How late the event loop is: one timer that looks at the clock when it is called.

    What counts is the lesser of the last two looks: a single pause, such as the assembly of plugins, is no overload.
    """

    def __init__(self, looked: Callable[[], None] | None = None) -> None:
        self._looked = looked
        self._due = float("inf")
        self._last = self._before = 0.0
        self._at = self._used = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self.busy = 0.0
        """The share of a core that the loop's thread had between the last two looks."""

    @property
    def seconds(self) -> float:
        """How late the loop is now; 0 when nobody looks."""
        return min(self._before, max(self._last, time.monotonic() - self._due))

    def start(self) -> None:
        """Look from now on."""
        self._at, self._used = time.monotonic(), time.thread_time()
        self._next()

    def _next(self) -> None:
        self._due = time.monotonic() + _LOOK
        self._timer = asyncio.get_running_loop().call_later(_LOOK, self._look)

    def stop(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._due = None, float("inf")
        self._last = self._before = 0.0

    def _look(self) -> None:
        now, used = time.monotonic(), time.thread_time()
        self._before, self._last = self._last, max(0.0, now - self._due)
        self.busy = (used - self._used) / (now - self._at)
        self._at, self._used = now, used
        self._next()
        if self._looked is not None:
            self._looked()


class Admission:
    """Refuses requests that would make everybody's answers late; those that run are never touched.

    How many may run is a limit that follows the event loop, as a sender's window follows the network (additive
    increase, multiplicative decrease; RFC 5681): it falls below what runs while the loop is late, and rises again when
    it is not. So a flood neither fills a process nor empties it. What is late is told as CoDel tells a standing queue
    from a burst (RFC 8289): `Limits.lag` at once, and a small part of it when it stays.
    """

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.lag = LoopLag(self._looked)
        self.refused = 0
        """Requests since the start."""
        self._room = self.limits.in_flight
        self._expected = 0
        self._most = 0
        self._refused_before = 0
        self._late_since = float("inf")
        self._crowded_until = 0.0

    @property
    def room(self) -> int:
        """How many exchanges may run now."""
        return self._room

    def is_full(self, in_flight: int) -> bool:
        """Whether one more beside so many would be refused."""
        return in_flight + self._expected >= self._room

    def refusal(self, in_flight: int) -> Overloaded | None:
        """Why one more beside so many is refused; None when it is let in."""
        carried = in_flight + self._expected
        if carried > self._most:
            self._most = carried
        if carried < self._room:
            return None
        self.refused += 1
        return _FULL

    def expect(self) -> None:
        """One that was let in is not in flight yet: it has a place from now on, until it has `arrived`."""
        self._expected += 1

    def arrived(self) -> None:
        """One that was expected begins."""
        self._expected -= 1

    def adapt(self, lag: float, busy: float, now: float) -> None:
        """Let more or fewer run from now on, the event loop being so late and so busy."""
        most, self._most = self._most, 0
        if self._is_late(lag, busy, now):
            # What runs and how late the loop is go together, but what is seen now was decided some turns ago.
            part = min(0.9, max(0.5, self.limits.lag * _STANDING / lag))
            if most:
                self._room = min(self._room, max(_ALWAYS, round(most * part)))
        elif self._room < self.limits.in_flight:
            growth = _FAST if self.refused == self._refused_before else _SLOW
            self._room = min(self.limits.in_flight, self._room + 1 + self._room // growth)
        self._refused_before = self.refused

    def _is_late(self, lag: float, busy: float, now: float) -> bool:
        if lag <= self.limits.lag * (_STANDING if busy > _BUSY else 1):
            self._late_since = float("inf")
            return False
        self._late_since = min(self._late_since, now)
        if lag <= self.limits.lag and now - self._late_since <= _BURST and now >= self._crowded_until:
            return False
        self._crowded_until = now + _BURST  # what comes next is no burst, even if there was a pause
        return True

    def _looked(self) -> None:
        self.adapt(self.lag.seconds, self.lag.busy, time.monotonic())
