"""Right: an observer of the usual events, one of text, and one that leaves every answer alone."""

import time
from collections.abc import Callable, Sequence

from gateway import Event, Exchange, Failure, Finish, Gateway, StreamObserver, Text, UsageRecord, hookimpl


class HowItEnded:
    def __init__(self, gateway: Gateway) -> None:
        self._log = gateway.log

    def start(self, exchange: Exchange) -> Callable[[Sequence[Event]], None]:
        began = time.monotonic()

        def told(events: Sequence[Event]) -> None:
            for event in events:
                if isinstance(event, Finish | Failure):
                    self._log.info("ended", how=type(event).__name__, seconds=time.monotonic() - began)

        return told


class Characters:
    wants = frozenset({Text})

    def __init__(self) -> None:
        self.total = 0

    def start(self, exchange: Exchange) -> Callable[[Sequence[Event]], None]:
        return self._told

    def _told(self, events: Sequence[Event]) -> None:
        self.total += sum(len(event.text) for event in events if isinstance(event, Text))

    def settled(self, exchange: Exchange, records: Sequence[UsageRecord]) -> None:
        self.total += sum(record.output_tokens or 0 for record in records)


class Blind:
    def start(self, exchange: Exchange) -> None:
        return None


@hookimpl
def register_stream_observers(gateway: Gateway) -> list[StreamObserver]:
    return [HowItEnded(gateway), Characters(), Blind()]
