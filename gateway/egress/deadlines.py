"""The limits of one attempt as points in time."""

from gateway.domain import Timeouts


class Deadlines:
    """When an attempt's waiting ends, on the event loop's clock."""

    __slots__ = ("_connect", "first", "idle", "total")

    def __init__(self, now: float, timeouts: Timeouts) -> None:
        self.total = now + timeouts.total
        self.first = min(now + timeouts.first, self.total)
        self._connect = now + timeouts.connect
        self.idle = timeouts.idle
        """Seconds, from read to read."""

    @property
    def connect(self) -> float:
        """When a dial must have succeeded."""
        return min(self._connect, self.first)
