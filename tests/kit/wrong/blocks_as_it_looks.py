"""Wrong: its observer writes to something slow while the answer waits."""

import time
from collections.abc import Callable, Sequence

from gateway import End, Event, Exchange, StreamObserver, hookimpl


class Slow:
    wants: frozenset[type[Event]] = frozenset({End})

    def start(self, exchange: Exchange) -> Callable[[Sequence[Event]], None]:
        return self._told

    def _told(self, events: Sequence[Event]) -> None:
        time.sleep(1.5)


@hookimpl
def register_stream_observers() -> list[StreamObserver]:
    return [Slow()]
