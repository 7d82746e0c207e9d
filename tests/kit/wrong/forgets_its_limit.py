"""Wrong: its limiter looks, waits, and only then counts."""

import asyncio

from gateway import Exchange, Limiter, RateLimited, hookimpl

CONFORMANCE = {"room": 3}


class Racing:
    def __init__(self) -> None:
        self._running = 0

    async def acquire(self, exchange: Exchange) -> None:
        if self._running >= 3:
            raise RateLimited("Three at one time are enough.")
        await asyncio.sleep(0)  # as a question to a database would
        self._running += 1

    async def settle(self, exchange: Exchange) -> None:
        self._running -= 1


@hookimpl
def register_limiters() -> list[Limiter]:
    return [Racing()]
