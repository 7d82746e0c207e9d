"""Who is let in at all: decided before a request's body is read, by what this process carries already."""

import asyncio
import time
from typing import Final

import msgspec

from gateway.errors import Overloaded

_LOOK: Final = 0.05
"""Seconds between two looks at the event loop."""
AGAIN: Final = 1.0
"""Seconds after which a refused client may come again."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How much one process carries."""

    in_flight: int = 10_000
    """Exchanges at one time."""
    lag: float = 1.0
    """Seconds that the event loop may be late."""


class LoopLag:
    """How late the event loop is: one timer that looks at the clock when it is called.

    What counts is the lesser of the last two looks: a single pause, such as the assembly of plugins, is no overload.
    """

    def __init__(self) -> None:
        self._due = float("inf")
        self._last = self._before = 0.0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def seconds(self) -> float:
        """How late the loop is now; 0 when nobody looks."""
        return min(self._before, max(self._last, time.monotonic() - self._due))

    def within(self, most: float) -> bool:
        """Whether it is no later than so many seconds: what `seconds` says, mostly without a look at the clock."""
        return self._before <= most or self.seconds <= most

    def start(self) -> None:
        """Look from now on."""
        self._due = time.monotonic() + _LOOK
        self._timer = asyncio.get_running_loop().call_later(_LOOK, self._look)

    def stop(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._due = None, float("inf")
        self._last = self._before = 0.0

    def _look(self) -> None:
        self._before, self._last = self._last, max(0.0, time.monotonic() - self._due)
        self.start()


class Admission:
    """Refuses requests that would make everybody's answers late; those that run are never touched."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.lag = LoopLag()
        self.refused = 0
        """Requests since the start."""

    def refusal(self, in_flight: int) -> Overloaded | None:
        """Why one more beside so many is refused; None when it is let in."""
        if in_flight < self.limits.in_flight and self.lag.within(self.limits.lag):
            return None
        self.refused += 1
        return Overloaded("The gateway is overloaded. Try again in a moment.", retry_after=AGAIN)
