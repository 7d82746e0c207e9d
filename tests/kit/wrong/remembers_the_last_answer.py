"""Wrong: its observer counts all answers in one place, so that each counts the others' words."""

from collections.abc import Callable, Sequence

from gateway import End, Event, Exchange, Gateway, StreamObserver, Text, ToolCall, hookimpl


class Pieces:
    wants = frozenset({Text, ToolCall, End})

    def __init__(self, gateway: Gateway) -> None:
        self._log = gateway.log
        self._count = 0

    def start(self, exchange: Exchange) -> Callable[[Sequence[Event]], None]:
        self._count = 0
        return self._told

    def _told(self, events: Sequence[Event]) -> None:
        for event in events:
            if isinstance(event, End):
                self._log.info("pieces", count=self._count)
            else:
                self._count += 1


@hookimpl
def register_stream_observers(gateway: Gateway) -> list[StreamObserver]:
    return [Pieces(gateway)]
