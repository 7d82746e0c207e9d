"""A client's next request and the settlement of its last one."""

import asyncio

from gateway import RateLimited
from gateway.testing import faults
from gateway.testing.upstream import chat_events, reply, stream

HANG = 30


class OnePlace:
    """Lets one exchange in at a time, and takes a while to hear that it is over."""

    def __init__(self, settles: float = 0.05) -> None:
        self.free = True
        self._settles = settles

    async def acquire(self, exchange) -> None:
        if not self.free:
            raise RateLimited("full", retry_after=1)
        self.free = False

    async def settle(self, exchange) -> None:
        await asyncio.sleep(self._settles)
        self.free = True


async def test_who_has_its_answer_may_ask_again_at_once(open_house):
    async with open_house(limiters=[OnePlace()]) as house:
        house.model("m", stream(*chat_events("x"), pause=0))
        house.model("bad", reply(400, b"no"))
        names = ["m", "bad", "m", "m", "bad", "m"]
        assert [(await house.ask(name)).status for name in names] == [200, 400, 200, 200, 400, 200]


async def test_who_asks_while_another_is_answered_is_refused(open_house):
    async with open_house(limiters=[OnePlace()]) as house:
        house.model("m", stream(*chat_events("x"), pause=0.2))
        first = await house.begin("m")
        await first.head()
        assert (await house.ask("m")).status == 429
        await first.leave()


async def test_a_settlement_that_hangs_holds_nobody_up_for_long(open_house):
    async with open_house(limiters=[OnePlace(settles=3)]) as house:
        house.model("m", stream(*chat_events("x"), pause=0))
        await house.ask("m")
        assert (await asyncio.wait_for(house.ask("m"), HANG / 2)).status == 429


class Choosy(OnePlace):
    """Has nothing to say to most."""

    def concerns(self, exchange) -> bool:
        if exchange.request.model == "bad":
            raise LookupError
        return exchange.request.model == "m"


async def test_a_limiter_is_asked_and_told_only_of_what_it_limits(open_house):
    limiter = Choosy()
    async with open_house(limiters=[limiter]) as house:
        house.model("m", faults.stall_midstream("x"))
        for name in ("other", "bad"):
            house.model(name, stream(*chat_events("x"), pause=0))
        first = await house.begin("m")
        await first.head()
        assert (await house.ask("other")).status == 200
        assert not limiter.free
        assert (await house.ask("bad")).status == 429  # one that cannot tell is asked
        await first.leave()
