"""A circuit breaker: closed, open for a while, then half-open for one probe at a time."""

from typing import Final, Literal

import msgspec

from gateway.domain import Attempt
from gateway.routing.ailment import Ailment

CircuitState = Literal["closed", "open", "half_open"]


class Rest(msgspec.Struct, frozen=True):
    """How soon a circuit opens, and for how many seconds."""

    trip_after: int
    """Failures, less half of them for each success between."""
    first: float
    longest: float
    """Each probe that fails doubles the time, up to this."""


MODEL: Final = Rest(trip_after=3, first=1.0, longest=30.0)
CREDENTIAL: Final = Rest(trip_after=1, first=30.0, longest=120.0)


class Circuit:
    """What failures of one model, or of one credential, have led to; it is told the time and knows no clock.

    Only attempts that began after it opened count: of a hundred that were under way when the circuit opened, the
    hundredth failure says nothing that the first ones did not.
    """

    __slots__ = ("_probe", "_rest", "_since", "_tripped", "_trips", "_until", "ailment", "failures", "limited_until")

    def __init__(self, rest: Rest) -> None:
        self._rest = rest
        self._since = 0.0
        self._until = 0.0
        self._tripped = False
        self._trips = 0
        self._probe: Attempt | None = None
        self.failures = 0
        self.limited_until = 0.0
        """It said itself when it may be asked again."""
        self.ailment: Ailment | None = None
        """Of the last failure."""

    def state(self, now: float) -> CircuitState:
        """Closed, open, or half-open: its time is over, and it has yet to answer."""
        if not self._tripped:
            return "closed"
        return "open" if self._until > now else "half_open"

    def is_well(self, now: float) -> bool:
        """Whether there is nothing to remember."""
        return not (self._tripped or self.failures or self.limited_until > now)

    def avoided(self, now: float) -> bool:
        """Whether it is better left alone: open, half-open with its probe under way, or at its limit."""
        if self.limited_until > now:
            return True
        return self._tripped and (self._until > now or self._probe is not None)

    def seconds(self, now: float) -> float:
        """Until it may be asked again; 0 when it may be now."""
        return max(0.0, self.limited_until - now, self._until - now if self._tripped else 0.0)

    def began(self, attempt: Attempt, now: float) -> None:
        """An attempt begins; where one is due it is the probe."""
        if self._tripped and self._until <= now and self._probe is None:
            self._probe = attempt

    def answered(self, attempt: Attempt) -> None:
        """There is content: the circuit closes, though the next failure opens it again until an answer is complete."""
        if self._tripped and attempt.started >= self._since:
            self._tripped, self._probe = False, None
            self.failures = self._rest.trip_after - 1

    def succeeded(self, attempt: Attempt) -> None:
        """The answer was complete."""
        self.answered(attempt)
        if not self._tripped:
            self.failures //= 2
            self._trips = self._trips if self.failures else 0

    def failed(self, attempt: Attempt, now: float, *, at_once: bool = False, rest: float = 0.0) -> None:
        """The attempt failed; with `at_once` that is enough to open. It is left alone for `rest` seconds at least."""
        is_probe = self._probe is attempt
        self.released(attempt)
        if attempt.started < self._since and not is_probe:
            return
        if self._tripped:
            if is_probe or self._until <= now:
                self._trip(now, rest)
            return
        self.failures += 1
        if at_once or rest or self.failures >= self._rest.trip_after:
            self._trip(now, rest)

    def limited(self, until: float) -> None:
        """It is at its limit until then."""
        self.limited_until = max(self.limited_until, until)

    def released(self, attempt: Attempt) -> None:
        """The attempt ended and says nothing: if it was the probe, the next one may be."""
        if self._probe is attempt:
            self._probe = None

    def _trip(self, now: float, rest: float) -> None:
        self._trips += 1
        self._tripped, self._since = True, now
        cool_down = min(self._rest.longest, self._rest.first * 2 ** min(self._trips - 1, 16))
        self._until = now + max(cool_down, rest)
