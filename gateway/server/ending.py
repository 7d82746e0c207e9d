"""How much of a hurry somebody is in who wants the server to end."""

import time
from collections.abc import Callable
from enum import IntEnum
from typing import Final

_SAME: Final = 0.5
"""Seconds within which a second signal means the first: some send one to the process, and the same to its group."""


class Ending(IntEnum):
    """How to end."""

    DRAIN = 1
    """What runs goes on to its end."""
    HURRY = 2
    """What runs is ended visibly, and accounted for."""
    NOW = 3
    """As if killed."""


class Insistence:
    """Counts the signals that ask for the end."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._count = 0
        self._last = float("-inf")

    def again(self) -> Ending | None:
        """What one more asks for; None when it is the one before."""
        now = self._clock()
        if now - self._last < _SAME:
            return None
        self._last = now
        self._count = min(self._count + 1, Ending.NOW)
        return Ending(self._count)
