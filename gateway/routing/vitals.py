"""What runs at one model now, and how fast it began to answer lately."""

from typing import Final

from gateway.domain import Model

_WEIGHT: Final = 0.2
"""Of the newest time to first content in the average."""
_FRESH: Final = 300.0
"""Seconds after which an average that nothing was added to tells nothing any more."""


class Vitals:
    """The numbers of one model, and the name it goes by."""

    __slots__ = ("_average", "_measured", "id", "in_flight", "model", "provider", "tenant")

    def __init__(self, model: Model) -> None:
        self.id, self.model, self.provider, self.tenant = model.id, model.name, model.provider, model.tenant
        self.in_flight = 0
        self._average: float | None = None
        self._measured = 0.0

    def measure(self, seconds: float, now: float) -> None:
        """Take one time to first content into the average."""
        average = self._average
        self._average = seconds if average is None else average + _WEIGHT * (seconds - average)
        self._measured = now

    def latency(self, now: float) -> float | None:
        """The average; None when there is none, or an old one and nobody about to renew it."""
        if now - self._measured > _FRESH and not self.in_flight:
            return None
        return self._average
