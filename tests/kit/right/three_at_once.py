"""Right: a limiter of three exchanges for each caller at one time."""

from gateway import Exchange, Limiter, RateLimited, hookimpl

CONFORMANCE = {"room": 3}


class ThreeAtOnce:
    def __init__(self) -> None:
        self._running: dict[str, int] = {}

    async def acquire(self, exchange: Exchange) -> None:
        assert exchange.principal is not None
        running = self._running.get(exchange.principal.id, 0)
        if running >= 3:
            raise RateLimited("Three at one time are enough.", retry_after=1)
        self._running[exchange.principal.id] = running + 1

    async def settle(self, exchange: Exchange) -> None:
        assert exchange.principal is not None
        self._running[exchange.principal.id] -= 1


@hookimpl
def register_limiters() -> list[Limiter]:
    return [ThreeAtOnce()]
