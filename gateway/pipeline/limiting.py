"""Limiters let exchanges in and hear how they ended."""

import asyncio
from collections.abc import Callable

from gateway.domain import Exchange
from gateway.errors import GatewayError
from gateway.pipeline.calls import Calls
from gateway.pipeline.live import Live
from gateway.protocols import Limiter

SETTLES = 0.25
"""Seconds that a new exchange waits for those whose clients have their whole answer already."""


class Limiting:
    """Asks the limiters before an exchange, and tells them of its end after it.

    A client may send its next request as soon as it has the whole answer, which is a moment before that answer is
    settled. Its own last request must not stand in its way: who comes in between waits until it is.
    """

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._answered: dict[Live, asyncio.Future[None]] = {}

    async def admit(self, live: Live) -> None:
        """Let every limiter reserve what the exchange needs; those that did are owed its settlement.

        A limiter that fails or hangs refuses.
        """
        exchange = live.exchange
        limiters = [one for one in live.generation.limiters if _concerns(one.object, exchange)]
        if not limiters:
            return
        if self._answered:
            await asyncio.wait(self._answered.values(), timeout=SETTLES)
        live.outlet.on_finished = lambda: self._has_its_answer(live)
        for limiter in limiters:
            try:
                asked = limiter.object.acquire(exchange)
                await self._calls.within(asked, exchange.timings, f"limiters.{limiter.plugin}")
            except GatewayError:
                raise
            except Exception as error:  # noqa: BLE001 - a named border
                self._calls.refuse(limiter.plugin, "limiters", error)
            live.acquired.append(limiter)

    def _has_its_answer(self, live: Live) -> None:
        if live.acquired:
            self._answered[live] = asyncio.get_running_loop().create_future()

    async def settle(self, live: Live) -> None:
        """Tell the limiters that let the exchange in how it ended, the last one first."""
        try:
            for limiter in reversed(live.acquired):
                try:
                    await self._calls.within(limiter.object.settle(live.exchange))
                except Exception as error:  # noqa: BLE001 - a named border: the exchange is over
                    self._calls.fault(limiter.plugin, "limiters", error)
        finally:
            if (settled := self._answered.pop(live, None)) is not None:
                settled.set_result(None)


def _concerns(limiter: Limiter, exchange: Exchange) -> bool:
    """Whether it has to be asked; one that cannot tell is asked, and so fails in the way that refuses."""
    concerns: Callable[[Exchange], bool] | None = getattr(limiter, "concerns", None)
    try:
        return concerns is None or concerns(exchange)
    except Exception:  # noqa: BLE001 - a named border
        return True
