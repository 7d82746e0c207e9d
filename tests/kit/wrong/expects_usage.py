"""Wrong: its limiter takes for granted that every exchange has an answer with usage."""

from gateway import Exchange, Limiter, hookimpl


class Trusting:
    def __init__(self) -> None:
        self.tokens = 0

    async def acquire(self, exchange: Exchange) -> None:
        pass

    async def settle(self, exchange: Exchange) -> None:
        self.tokens += exchange.answer.usage.output


@hookimpl
def register_limiters() -> list[Limiter]:
    return [Trusting()]
