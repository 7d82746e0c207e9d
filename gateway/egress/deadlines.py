"""The limits of one attempt as points in time."""

from gateway.domain import Timeouts


class Deadlines:
    """When an attempt's waiting ends, on the event loop's clock."""

    __slots__ = ("connect", "first", "idle", "total")

    def __init__(self, now: float, timeouts: Timeouts) -> None:
        self.total = now + timeouts.total
        self.first = min(now + timeouts.first, self.total)
        self.connect = min(now + timeouts.connect, self.first)
        self.idle = timeouts.idle
        """Seconds, from read to read."""
