"""A second attempt beside a slow one: one answer, two records, and the loser's socket closed at once."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from gateway import EventUpstream, Hedge
from gateway.domain import Outcome
from gateway.events import End, Finish, Text
from gateway.testing import faults
from gateway.testing.upstream import EVENT_STREAM, Behaviour, Ending, chat_events, reply, stream

HANG = 30
HEDGE = Hedge(percentile=50, budget=1)
LEARNED = 16


def gated(*texts: str) -> Behaviour:
    """An answer that makes each write when it is told to go on; the first one at once."""
    return Behaviour(headers=EVENT_STREAM, writes=(b": wait\n\n", *chat_events(*texts)), chunked=True, gated=True)


def ok(*texts: str):
    return stream(*chat_events(*texts), pause=0)


@asynccontextmanager
async def hedging(open_house, slow, *second, hedge=HEDGE, **options):
    """A route of two that has learned how fast it is; then its first model turns slow."""
    async with open_house(tells=True, **options) as house:
        first, spare = house.model("first", *[ok("1")] * LEARNED, slow), house.model("spare", *second)
        house.route("r", first, spare, hedge=hedge)
        for _ in range(LEARNED):
            assert (await house.ask("r")).body == b"1"
        await house.settled(LEARNED)
        house.records.all.clear()
        yield house


def outcomes(records):
    return {(record.number, record.reason): record.outcome for record in records}


@pytest.mark.parametrize(
    "slow",
    [faults.stall_before_head(), faults.stall_before_first_event(), stream(chat_events("x")[0], ending=Ending.HOLD)],
    ids=["before the head", "before the first event", "after the role"],
)
async def test_the_second_answers_and_the_first_ones_socket_is_closed(open_house, slow):
    async with hedging(open_house, slow, ok("from ", "spare")) as house:
        response = await house.ask("r")
        assert (response.body, response.complete) == (b"from spare", True)
        await asyncio.wait_for(house.upstream.seen("first")[-1].closed(), HANG)
        records = await house.settled(2)
        assert outcomes(records) == {(1, "first"): Outcome.SUPERSEDED, (2, "hedge"): Outcome.OK}
        assert house.pipeline.hedges.started == house.pipeline.hedges.won == 1
        assert house.pipeline.health.report() == [], "to be slower is no failure"
        assert [exchange["attempts"] for name, exchange in house.log.events if name == "exchange"][-1] == 2


async def test_the_loser_is_gone_while_the_winner_still_streams(open_house):
    async with hedging(open_house, faults.stall_before_first_event(), gated("a", "b")) as house:
        asked = await house.begin("r")
        winner = await asyncio.wait_for(house.upstream.wait_for("spare"), HANG)
        loser = house.upstream.seen("first")[-1]
        for _ in range(2):  # the role, and the first text
            winner.go_on()
        await asked.head()
        await asyncio.wait_for(loser.closed(), HANG)
        assert winner.closed_at is None
        for _ in range(20):
            winner.go_on()
        assert (await asked.finish()).body == b"ab"


async def test_the_first_may_still_win(open_house):
    async with hedging(open_house, gated("late ", "first"), faults.stall_before_first_event()) as house:
        asked = await house.begin("r")
        loser = await asyncio.wait_for(house.upstream.wait_for("spare"), HANG)
        winner = house.upstream.seen("first")[-1]
        for _ in range(20):
            winner.go_on()
        assert (await asked.finish()).body == b"late first"
        await asyncio.wait_for(loser.closed(), HANG)
        records = await house.settled(2)
        assert outcomes(records) == {(1, "first"): Outcome.OK, (2, "hedge"): Outcome.SUPERSEDED}
        assert records[-1].number == 1, "the attempt that answered is the exchange's last"
        assert (house.pipeline.hedges.started, house.pipeline.hedges.won) == (1, 0)


async def test_answers_that_come_together_never_mix(open_house):
    async with open_house(tells=True) as house:
        slow = stream(*chat_events(*"1" * 20), pause=0.004)
        first, spare = house.model("first", slow), house.model("spare", stream(*chat_events(*"2" * 20), pause=0.004))
        house.route("r", first, spare, hedge=Hedge(percentile=1, budget=1))
        bodies = {(await house.ask("r")).body for _ in range(LEARNED)}
        for _ in range(3):
            answers = await asyncio.gather(*(house.ask("r") for _ in range(6)))
            bodies |= {answer.body for answer in answers}
        assert bodies <= {b"1" * 20, b"2" * 20}
        assert house.pipeline.hedges.started > 0


async def test_of_two_contents_in_one_turn_of_the_loop_only_the_first_is_written(open_house):
    async with hedging(open_house, gated("111", "111"), gated("222", "222")) as house:
        asked = await house.begin("r")
        both = [await asyncio.wait_for(house.upstream.wait_for("spare"), HANG), house.upstream.seen("first")[-1]]
        for _ in range(20):
            for one in both:
                one.go_on()
        assert (await asked.finish()).body in (b"111111", b"222222")


async def test_when_both_fail_a_third_try_is_left(open_house):
    slow = Behaviour(status=500, writes=(b"n", b"o"), gated=True)
    async with hedging(open_house, slow, reply(500, b"no"), ok("third")) as house:
        asked = await house.begin("r")
        await asyncio.wait_for(house.upstream.wait_for("spare"), HANG)
        assert len(house.upstream.seen("spare")) == 1, "while one attempt runs, nothing else is tried"
        house.upstream.seen("first")[-1].go_on()
        assert (await asked.finish()).body == b"third"
        records = await house.settled(3)
        assert [(record.number, record.reason) for record in records] == [(1, "first"), (2, "hedge"), (3, "retry")]


async def test_without_a_budget_left_the_first_is_waited_for(open_house):
    late = stream(*chat_events("late"), pause=0.05)
    async with hedging(open_house, late, ok("spare"), hedge=Hedge(percentile=50, budget=0.01)) as house:
        assert (await house.ask("r")).body == b"late"
        (record,) = await house.settled(1)
        assert (record.outcome, house.pipeline.hedges.refused) == (Outcome.OK, 1)
        assert house.upstream.seen("spare") == []


@pytest.mark.parametrize("why", ["the client leaves", "shutdown"])
async def test_whoever_ends_the_exchange_ends_both(open_house, why):
    async with hedging(open_house, faults.stall_before_head(), faults.stall_before_first_event()) as house:
        asked = await house.begin("r")
        seen = [await asyncio.wait_for(house.upstream.wait_for("spare"), HANG), house.upstream.seen("first")[-1]]
        if why == "shutdown":
            house.pipeline.drain()
            await house.pipeline.drained(0.1)
            assert (await asked.finish()).status == 503
        else:
            await asked.leave()
        for one in seen:
            await asyncio.wait_for(one.closed(), HANG)
        ended = Outcome.SHUTDOWN if why == "shutdown" else Outcome.CLIENT_ABORT
        assert outcomes(await house.settled(2)) == {(1, "first"): ended, (2, "hedge"): ended}
        assert house.pipeline.in_flight == 0


async def test_shutdown_ends_a_hedges_stream_visibly(open_house):
    async with hedging(open_house, faults.stall_before_head(), faults.stall_midstream("so far")) as house:
        asked = await house.begin("r")
        await asked.head()
        house.pipeline.drain()
        await house.pipeline.drained(0.1)
        assert (await asked.finish()).body == b"so far!server_shutting_down"
        records = await house.settled(2)
        assert outcomes(records) == {(1, "first"): Outcome.SUPERSEDED, (2, "hedge"): Outcome.SHUTDOWN}


class Silent:
    """A provider that speaks events and takes its time; it knows when it is told to stop."""

    name = "silent"

    def __init__(self):
        self.stopped = asyncio.Event()
        self.asked = 0

    def connect(self, model):
        return self

    async def open(self, request, attempt):
        self.asked += 1
        return EventUpstream(self._events(hangs=self.asked > LEARNED))

    async def _events(self, *, hangs):
        try:
            if hangs:
                await asyncio.Event().wait()
            yield Text("1")
            yield Finish("stop")
            yield End()
        finally:
            if hangs:
                self.stopped.set()

    async def aclose(self):
        pass


class Deaf(Silent):
    """A provider that does not hear when it is told to stop, and answers after all."""

    async def open(self, request, attempt):
        self.asked += 1
        if self.asked > LEARNED:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                pass
        return EventUpstream(self._events(hangs=False))


async def test_a_loser_that_answers_after_all_is_not_the_attempt_that_is_spoken_of(open_house):
    async with open_house(tells=True, providers=[Deaf()]) as house:
        first = house.model("first", provider="silent")
        house.route("r", first, house.model("spare", ok("spare")), hedge=HEDGE)
        for _ in range(LEARNED):
            assert (await house.ask("r")).body == b"1"
        await house.settled(LEARNED)
        house.records.all.clear()
        assert (await house.ask("r")).body == b"spare"
        records = await house.settled(2)
        assert [(record.number, record.outcome) for record in records] == [
            (1, Outcome.SUPERSEDED),
            (2, Outcome.OK),
        ]
        assert [exchange["outcome"] for name, exchange in house.log.events if name == "exchange"][-1] == "ok"


async def test_a_provider_of_events_loses_like_any_other(open_house):
    provider = Silent()
    async with open_house(tells=True, providers=[provider]) as house:
        first, spare = house.model("first", provider="silent"), house.model("spare", ok("spare"))
        house.route("r", first, spare, hedge=HEDGE)
        for _ in range(LEARNED):
            assert (await house.ask("r")).body == b"1"
        assert (await house.ask("r")).body == b"spare"
        await asyncio.wait_for(provider.stopped.wait(), HANG)


async def test_a_step_that_waits_loses_like_any_other(open_house):
    class Waiting:
        def start(self, exchange):
            held = exchange.attempts[-1].model.name == "first" and exchange.state.get("slow")

            async def step(events):
                if held:
                    await asyncio.Event().wait()
                return events

            return step

    class Marks:
        def __init__(self):
            self.asked = 0

        async def transform(self, request, exchange):
            self.asked += 1
            exchange.state["slow"] = self.asked > LEARNED
            return request

    async with hedging(
        open_house, ok("never"), ok("spare"), stream_transforms=[Waiting()], request_transforms=[Marks()]
    ) as house:
        assert (await house.ask("r")).body == b"spare"
        assert outcomes(await house.settled(2)) == {(1, "first"): Outcome.SUPERSEDED, (2, "hedge"): Outcome.OK}


async def test_a_hedging_route_probes_a_sick_target_with_one_request_at_a_time(open_house):
    async with hedging(open_house, reply(500, b"no"), ok("spare")) as house:
        for _ in range(3):
            assert (await house.ask("r")).body == b"spare"
        house.upstream.play("first", faults.stall_before_first_event())
        await asyncio.sleep(1.05)  # the circuit's first cool-down
        before = len(house.upstream.seen("first"))
        answers = await asyncio.gather(*(house.ask("r") for _ in range(8)))
        assert {answer.body for answer in answers} == {b"spare"}
        assert len(house.upstream.seen("first")) - before == 1


async def test_nothing_is_hedged_unless_the_route_says_so(open_house):
    async with hedging(open_house, stream(*chat_events("late"), pause=0.05), ok("spare"), hedge=None) as house:
        assert (await house.ask("r")).body == b"late"
        assert house.upstream.seen("spare") == []
