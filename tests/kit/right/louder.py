"""Right: a stream transform that waits, and one that leaves every answer alone."""

import asyncio

import msgspec

from gateway import AsyncStep, Event, Exchange, StreamTransform, Text, hookimpl


class Louder:
    def start(self, exchange: Exchange) -> AsyncStep:
        return _step


async def _step(events: list[Event]) -> list[Event]:
    await asyncio.sleep(0)
    return [
        msgspec.structs.replace(event, text=event.text.upper()) if isinstance(event, Text) else event
        for event in events
    ]


class Silent:
    def start(self, exchange: Exchange) -> None:
        return None


@hookimpl
def register_stream_transforms() -> list[StreamTransform]:
    return [Louder(), Silent()]
