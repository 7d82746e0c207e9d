"""Wrong: its stream transform replaces a word only where one event holds all of it."""

import msgspec

from gateway import Event, Exchange, Step, StreamTransform, Text, hookimpl


class Shortsighted:
    def start(self, exchange: Exchange) -> Step:
        return _step


def _step(events: list[Event]) -> list[Event]:
    return [
        msgspec.structs.replace(event, text=event.text.replace("there", "***")) if isinstance(event, Text) else event
        for event in events
    ]


@hookimpl
def register_stream_transforms() -> list[StreamTransform]:
    return [Shortsighted()]
