"""Wrong: its observer changes the events it is told, with the trick that frozen structs leave open."""

from collections.abc import Callable, Sequence

import msgspec

from gateway import Event, Exchange, StreamObserver, Text, hookimpl


class Editor:
    wants: frozenset[type[Event]] = frozenset({Text})

    def start(self, exchange: Exchange) -> Callable[[Sequence[Event]], None]:
        return _told


def _told(events: Sequence[Event]) -> None:
    for event in events:
        msgspec.structs.force_setattr(event, "text", "***")


@hookimpl
def register_stream_observers() -> list[StreamObserver]:
    return [Editor()]
