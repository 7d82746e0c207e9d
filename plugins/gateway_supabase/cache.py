"""Routes remembered for a short time."""

import time
from collections import OrderedDict
from typing import Final

from gateway import Route

_MOST: Final = 1024


class RouteCache:
    """Remembers the last 1,024 routes for some seconds; zero seconds remember nothing."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._entries: OrderedDict[str, tuple[float, Route]] = OrderedDict()

    def get(self, name: str) -> Route | None:
        """The route, if it was put in less than the time ago."""
        entry = self._entries.get(name)
        if entry is None:
            return None
        if time.monotonic() < entry[0]:
            return entry[1]
        del self._entries[name]
        return None

    def put(self, name: str, route: Route) -> None:
        """Remember a route; the oldest is forgotten when there are too many."""
        if self._seconds <= 0:
            return
        self._entries[name] = (time.monotonic() + self._seconds, route)
        self._entries.move_to_end(name)
        if len(self._entries) > _MOST:
            self._entries.popitem(last=False)
