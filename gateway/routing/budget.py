"""Retries as a share of the traffic, so that a struggling upstream is not buried under them."""

import time
from collections import OrderedDict
from collections.abc import Callable

WINDOW = 10
"""Seconds that are looked back, in buckets of one."""
SHARE = 0.2
"""Retries for each request in the window."""
FLOOR = 3
"""Retries a second that are always there: 30 in a burst."""
REMEMBERED = 10_000
"""Upstreams; the longest unused one is forgotten first."""


class _Window:
    """Requests and retries of the last ten seconds, by second."""

    __slots__ = ("requests", "retries", "second")

    def __init__(self, second: int) -> None:
        self.second = second
        self.requests = [0] * WINDOW
        self.retries = [0] * WINDOW

    def slot(self, second: int) -> int:
        if second <= self.second:
            return self.second % WINDOW
        for passed in range(self.second + 1, min(second, self.second + WINDOW) + 1):
            self.requests[passed % WINDOW] = self.retries[passed % WINDOW] = 0
        self.second = second
        return second % WINDOW


class RetryBudgets:
    """One budget for each upstream and credential: 20 % of the requests of ten seconds, and 3 a second (Finagle)."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._windows: OrderedDict[bytes, _Window] = OrderedDict()

    def request(self, key: bytes) -> None:
        """Count a first try."""
        window = self._window(key)
        window.requests[window.slot(int(self._clock()))] += 1

    def withdraw(self, key: bytes) -> bool:
        """Take one retry; False when the budget is spent."""
        window = self._window(key)
        slot = window.slot(int(self._clock()))
        if sum(window.retries) >= SHARE * sum(window.requests) + FLOOR * WINDOW:
            return False
        window.retries[slot] += 1
        return True

    def _window(self, key: bytes) -> _Window:
        window = self._windows.get(key)
        if window is None:
            window = self._windows[key] = _Window(int(self._clock()))
            if len(self._windows) > REMEMBERED:
                self._windows.popitem(last=False)
        else:
            self._windows.move_to_end(key)
        return window
