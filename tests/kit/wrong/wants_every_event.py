"""Wrong: its observer wants the class that all events have in common, which no event is."""

from collections.abc import Sequence

from gateway import Event, Exchange, StreamObserver, hookimpl


class Everything:
    wants = frozenset({Event})

    def start(self, exchange: Exchange) -> "Everything":
        return self

    def __call__(self, events: Sequence[Event]) -> None:
        for event in events:
            print(event)


@hookimpl
def register_stream_observers() -> list[StreamObserver]:
    return [Everything()]
