"""Limiters let exchanges in and hear how they ended."""

import asyncio

from gateway.errors import GatewayError
from gateway.pipeline.calls import Calls
from gateway.pipeline.live import Live

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
        if not live.generation.limiters:
            return
        if self._answered:
            await asyncio.wait(self._answered.values(), timeout=SETTLES)
        live.outlet.on_finished = lambda: self._has_its_answer(live)
        for limiter in live.generation.limiters:
            try:
                asked = limiter.object.acquire(live.exchange)
                await self._calls.within(asked, live.exchange.timings, f"limiters.{limiter.plugin}")
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
