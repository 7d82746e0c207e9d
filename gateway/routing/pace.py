"""When a route's first target is slow, and whether a second one may be asked beside it."""

from collections import OrderedDict, deque
from math import ceil
from typing import Final

from gateway.domain import Route
from gateway.protocols import Hedges
from gateway.terms import Hedge

_LOOKED_AT: Final = 128
"""Times to first content that a percentile is taken of."""
_ENOUGH: Final = 16
"""Times without which a percentile says nothing yet."""
_WHOLE: Final = 1 - 1e-9
"""One hedge, as sums of shares come to it."""
_SAVED: Final = 10.0
"""Hedges that a quiet route may save up."""
REMEMBERED: Final = 1_000
"""Routes; the longest unused one is forgotten first."""


class _Pace:
    """One route's latest times to first content, and the hedges it has earned."""

    __slots__ = ("credit", "times")

    def __init__(self) -> None:
        self.times: deque[float] = deque(maxlen=_LOOKED_AT)
        self.credit = 0.0


class Paces:
    """Knows every hedging route's pace; hedges are a share of its requests and never more."""

    def __init__(self) -> None:
        self._routes: OrderedDict[tuple[str, str], _Pace] = OrderedDict()
        self._started = self._won = self._refused = 0

    def patience(self, route: Route, hedge: Hedge) -> float | None:
        """Seconds that the first target gets before a second one is asked, counting this request.

        None while too little is known.
        """
        pace = self._pace(route)
        pace.credit = min(_SAVED, pace.credit + hedge.budget)
        if len(pace.times) < _ENOUGH:
            return None
        return sorted(pace.times)[ceil(hedge.percentile / 100 * len(pace.times)) - 1]

    def measure(self, route: Route, seconds: float) -> None:
        """The first target took so long to begin, or longer, where it was not waited for."""
        self._pace(route).times.append(seconds)

    def withdraw(self, route: Route) -> bool:
        """Take one hedge; False when the budget is spent."""
        pace = self._pace(route)
        if pace.credit < _WHOLE:
            self._refused += 1
            return False
        pace.credit -= 1.0
        self._started += 1
        return True

    def won(self) -> None:
        """A second target was first."""
        self._won += 1

    @property
    def counted(self) -> Hedges:
        """What became of all of them."""
        return Hedges(started=self._started, won=self._won, refused=self._refused)

    def _pace(self, route: Route) -> _Pace:
        key = (route.id, route.name)
        pace = self._routes.get(key)
        if pace is None:
            pace = self._routes[key] = _Pace()
            if len(self._routes) > REMEMBERED:
                self._routes.popitem(last=False)
        else:
            self._routes.move_to_end(key)
        return pace
