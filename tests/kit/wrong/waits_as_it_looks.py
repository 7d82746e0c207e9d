"""Wrong: its observer's callback is async, and nobody awaits it."""

import asyncio
from collections.abc import Callable, Sequence

from gateway import Event, Exchange, StreamObserver, hookimpl


class Waiting:
    def start(self, exchange: Exchange) -> Callable[[Sequence[Event]], object]:
        return _told


async def _told(events: Sequence[Event]) -> None:
    await asyncio.sleep(0)


@hookimpl
def register_stream_observers() -> list[StreamObserver]:
    return [Waiting()]  # type: ignore[list-item]
