"""What every limiter has to do: refuse in the gateway's words, settle whatever happened, hold nobody up."""

import asyncio
from typing import Any, ClassVar

import msgspec

from gateway.domain import Exchange, Outcome
from gateway.errors import GatewayError
from gateway.protocols import Limiter
from gateway.runtime import Generation, Registered
from gateway.testing.canned import CHAT
from gateway.testing.conformance.answers import exchange_with, settled
from gateway.testing.conformance.manners import MannersChecks
from gateway.testing.conformance.suite import cases, check, fail, skip


class LimiterConformance(MannersChecks):
    """Runs a limiter on exchanges of every outcome; say in `room` how many it lets in at one time from one caller."""

    kind = "limiter"
    stage = "limiters"
    room: ClassVar[int] = 0
    """Exchanges of one caller that it takes before it refuses; 0 = as declared, else that is not checked."""

    def with_object(self, generation: Generation, made: Any) -> Generation:
        """The limiter alone."""
        return msgspec.structs.replace(generation, limiters=(Registered[Limiter]("plugin", made),))

    async def use(self, made: Any) -> None:
        """One exchange, settled."""
        exchange = exchange_with()
        await made.acquire(exchange)
        await made.settle(settled(exchange, Outcome.OK))

    async def taken(self, exchange: Exchange) -> bool:
        """Whether it takes the exchange; ends the check when it raises what no client can be told."""
        limiter: Limiter = self.under_test
        try:
            await limiter.acquire(exchange)
        except GatewayError as refusal:
            if not 400 <= refusal.status <= 599 or not refusal.message:
                fail(f"refuses with status {refusal.status} and the text {refusal.message!r}: say what is too much")
            if refusal.retry_after is not None and refusal.retry_after < 0:
                fail(f"refuses with a negative `retry_after` ({refusal.retry_after})")
            return False
        except Exception as error:  # noqa: BLE001 - this is what the check is about
            fail(f"raises {type(error).__name__} in `acquire`: {error}; refuse with `RateLimited`")
        return True

    @cases(*(outcome.value for outcome in Outcome))
    async def test_settles_every_outcome(self, outcome: str) -> None:
        """Every exchange it took is settled: with an answer or none, with usage or none."""
        async with self.bench():
            exchange = exchange_with()
            if not await self.taken(exchange):
                fail("refuses the first exchange of all")
            limiter: Limiter = self.under_test
            try:
                await limiter.settle(settled(exchange, Outcome(outcome)))
            except Exception as error:  # noqa: BLE001 - this is what the check is about
                fail(f"raises {type(error).__name__} when an exchange that ended with '{outcome}' is settled: {error}")

    @check
    async def test_refuses_when_it_is_full(self) -> None:
        """The limit it promises is kept, also when everybody comes at once."""
        room = self.room or self.declaration.room
        if not room:
            skip("declare `room`, the number of exchanges it takes at one time")
        async with self.bench():
            taken = await asyncio.gather(*(self.taken(exchange_with(number=number)) for number in range(room + 5)))
        if sum(taken) != room:
            fail(f"took {sum(taken)} exchanges of {room + 5} that came at one time; its room is {room}")

    @check
    async def test_leaves_the_exchange_as_it_is(self) -> None:
        """It may look at request, route and caller, and change none of them."""
        async with self.bench():
            exchange = exchange_with()
            before = (exchange.request, exchange.route, exchange.principal, dict(exchange.request.fields))  # type: ignore[union-attr]
            await self.taken(exchange)
            after = (exchange.request, exchange.route, exchange.principal, dict(exchange.request.fields))  # type: ignore[union-attr]
        if before != after:
            fail("mutates the exchange it was asked about; a request is changed by a request transform")

    @check
    async def test_the_pipeline_serves_with_it(self) -> None:
        """A small exchange goes through a whole pipeline."""
        async with self.bench() as bench:
            bench.model("limited", CHAT["text"].behaviour())
            asked = await bench.ask("limited")
        if asked.problem:
            fail(f"lets no exchange through: {asked.problem}")
