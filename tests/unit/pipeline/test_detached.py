"""Exchanges that go on without their client: counted, bounded and ended as any other."""

import asyncio
from functools import partial

from gateway import Principal, Timeouts
from gateway.domain import Outcome
from gateway.events import Text, Usage
from gateway.runtime import Generation, Registered
from gateway.testing import faults
from gateway.testing.bench import Bench
from gateway.testing.upstream import EVENT_STREAM, Behaviour, chat_events, stream

HANG = 30
CALLER = Principal("k", unrestricted=True, detach=True)


class Detached:
    """Everybody may come in, and go."""

    async def authenticate(self, credentials):
        return CALLER


class Counts:
    """Hears of usage, and of how it ended."""

    wants = frozenset({Usage})

    def __init__(self):
        self.heard = []
        self.usage = []

    def start(self, exchange):
        return self.usage.extend

    def settled(self, exchange, records):
        self.heard.append((exchange.outcome.value, exchange.status, [record.provenance for record in records]))


def said(asked):
    return any(isinstance(event, Text) for event in asked.events)


async def begun(house, name, *, head):
    """An exchange whose client has left, and the server knows."""
    exchange = await house.begin(name)
    seen = await asyncio.wait_for(house.upstream.wait_for(name), HANG)
    if head:
        await exchange.head()
    exchange.half_close()
    await asyncio.wait_for(exchange.read(), HANG)
    await exchange.leave()
    return seen


async def test_it_is_in_flight_and_the_drain_ends_it(open_house):
    async with open_house(authenticators=[Detached()]) as house:
        house.model("m", faults.stall_midstream("a"))
        house.model("silent", faults.stall_before_head())
        upstreams = [await begun(house, "m", head=True), await begun(house, "silent", head=False)]
        assert house.pipeline.in_flight == 2
        assert [seen.closed_at for seen in upstreams] == [None, None]
        house.pipeline.drain()
        await house.pipeline.drained(0.1)
        for seen in upstreams:
            await asyncio.wait_for(seen.closed(), HANG)
        assert [record.outcome for record in await house.settled(2)] == [Outcome.SHUTDOWN, Outcome.SHUTDOWN]
        assert house.pipeline.in_flight == 0


async def test_its_time_is_limited_as_with_a_client(open_house):
    async with open_house(authenticators=[Detached()]) as house:
        house.model("idle", faults.stall_midstream("a"), timeouts=Timeouts(idle=0.5))
        house.model("long", faults.drip("a" * 5000, pause=0.01), timeouts=Timeouts(total=0.7))
        upstreams = [await begun(house, "idle", head=True), await begun(house, "long", head=False)]
        for seen in upstreams:
            await asyncio.wait_for(seen.closed(), HANG)
        told = {record.model_name: record.error_code for record in await house.settled(2)}
        assert told["idle"] == "idle_timeout"
        assert told["long"] in ("deadline_exceeded", "timeout")  # by whether its first text had come


async def test_a_slow_client_that_leaves_lets_the_rest_go_by(open_house):
    text = "x" * 60_000
    async with open_house(authenticators=[Detached()]) as house:
        house.model("m", stream(*chat_events(*[text] * 400), pause=0))
        exchange = await house.begin("m")
        await exchange.head()
        seen = house.upstream.seen("m")[0]
        async with asyncio.timeout(HANG):
            before = -1
            while seen.writes != before:  # the upstream stands still when every buffer on the way is full
                before = seen.writes
                await asyncio.sleep(0.3)
        assert seen.writes < 400
        await exchange.leave()
        (record,) = await house.settled()
        assert (record.outcome, record.deltas, record.finish_reason) == (Outcome.CLIENT_ABORT, 400, "stop")
        assert seen.left_after_writes is None


async def test_observers_hear_it_to_its_end_and_of_the_status_that_went_out():
    counts = Counts()
    usage = (
        b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[],'
        b'"usage":{"prompt_tokens":9,"completion_tokens":5,"total_tokens":14}}\n\n'
    )
    events = (*chat_events("a")[:-1], usage, b"data: [DONE]\n\n")
    async with Bench(lambda gateway: Generation(number=1, stream_observers=(Registered("counts", counts),))) as bench:
        bench.model("m", Behaviour(headers=EVENT_STREAM, writes=(b": wait\n\n", *events), chunked=True, gated=True))
        for reads in (False, True):
            asked = bench.begin("m", principal=CALLER)
            seen = await bench.upstream.wait_for("m", 1 + reads)
            if reads:
                seen.go_on()
                seen.go_on()
                assert await asked.until(partial(said, asked))
            asked.leave()
            await asyncio.sleep(0)
            for _ in events:
                seen.go_on()
            assert await asked.ended()
    assert counts.heard == [("client_abort", None, ["reported"]), ("client_abort", 200, ["reported"])]
    assert [event.output for event in counts.usage] == [5, 5]
