"""A process that carries too much, or whose event loop is late, lets in fewer; a burst and a pause are no overload."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from gateway.pipeline import Admission, Limits

PAUSE = 0.12
"""Longer than one look at the loop."""
LAG = 0.2
"""What the loop may be late for a moment; a tenth of it may stay."""


class Flood:
    """So many who ask at one time, and an event loop that is as late as it is told; each look takes 0.1 s."""

    def __init__(self, asking: int, *, in_flight: int = 10_000) -> None:
        self.admission = Admission(Limits(in_flight=in_flight, lag=LAG))
        self.asking = asking
        self.now = 0.0

    def looks(self, count: int, lag: float, busy: float = 1.0) -> int:
        """So many looks; the room there is then."""
        for _ in range(count):
            self.admission.refusal(min(self.asking, self.admission.room))
            self.now += 0.1
            self.admission.adapt(lag, busy, self.now)
        return self.admission.room


async def block(turns: int) -> None:
    """Hold up the loop in so many turns, one after the other."""
    for _ in range(turns):
        time.sleep(PAUSE)  # noqa: ASYNC251 - this is the fault
        await asyncio.sleep(0)


@pytest.fixture
async def admission() -> AsyncIterator[Admission]:
    admission = Admission(Limits(lag=0.03))
    admission.lag.start()
    yield admission
    admission.lag.stop()


async def test_no_more_than_its_number_are_let_in() -> None:
    admission = Admission(Limits(in_flight=2))
    assert [admission.is_full(running) for running in (0, 1, 2, 3)] == [False, False, True, True]
    assert [admission.refusal(running) is None for running in (0, 1, 2, 3)] == [True, True, False, False]
    assert admission.refused == 2


async def test_who_was_let_in_has_a_place_before_it_runs() -> None:
    admission = Admission(Limits(in_flight=2))
    assert admission.refusal(1) is None
    admission.expect()
    assert admission.is_full(1)
    assert admission.refusal(1) is not None
    admission.arrived()
    assert admission.refusal(1) is None


async def test_who_is_refused_is_told_when_to_come_again() -> None:
    error = Admission(Limits(in_flight=2)).refusal(2)
    assert error is not None
    assert (error.status, error.code, error.retry_after) == (503, "overloaded", 1.0)


async def test_a_late_loop_lets_in_fewer_than_run_until_it_is_not_late() -> None:
    flood = Flood(1000)
    rooms = [flood.looks(1, 0.3) for _ in range(3)]
    assert rooms == sorted(rooms, reverse=True)
    assert rooms[0] < 1000
    assert rooms[0] >= 500, "one look must not empty the process"
    assert flood.admission.is_full(rooms[-1])
    calm = flood.looks(1, 0.0)
    assert rooms[-1] < calm < 1.1 * rooms[-1], "a limit that rises fast is too high again before anybody sees it"


async def test_how_late_it_may_be_for_a_moment_is_not_how_late_it_may_stay() -> None:
    flood = Flood(1000)
    assert flood.looks(5, 0.15) == 10_000, "a burst is let in"
    assert flood.looks(3, 0.15) < 1000, "a standing queue is not"


async def test_a_loop_from_which_others_take_the_core_may_stay_late() -> None:
    flood = Flood(1000)
    assert flood.looks(50, 0.15, busy=0.5) == 10_000
    assert flood.looks(1, 0.3, busy=0.5) < 1000, "but not as late as this"


async def test_a_burst_that_is_worked_off_refuses_nobody() -> None:
    flood = Flood(1000)
    for _ in range(5):
        assert flood.looks(4, 0.15) == 10_000
        assert flood.looks(1, 0.001) == 10_000


async def test_what_comes_right_behind_an_overload_is_no_burst() -> None:
    flood = Flood(1000)
    before = flood.looks(1, 0.3)
    between = flood.looks(1, 0.001)
    assert between > before
    assert flood.looks(1, 0.15) < before


async def test_a_few_are_let_in_however_late_the_loop_is() -> None:
    assert Flood(1000).looks(100, 5.0) == 64
    assert Flood(1, in_flight=5).looks(100, 5.0) == 5


async def test_a_loop_that_is_late_without_anybody_asking_lowers_nothing() -> None:
    admission = Admission(Limits(lag=LAG))
    admission.adapt(5.0, 1.0, 1.0)
    assert admission.room == 10_000


async def test_the_limit_is_gone_soon_after_the_flood() -> None:
    flood = Flood(1000)
    flood.looks(50, 0.3)
    for _ in range(200):  # ten seconds of looks
        flood.admission.adapt(0.0, 1.0, flood.now)
    assert flood.admission.room == 10_000


async def test_the_limit_follows_the_loop_that_it_runs_in(admission: Admission) -> None:
    assert admission.refusal(1000) is None
    async with asyncio.timeout(30):
        while admission.room > 900:
            admission.refusal(1000)
            await block(1)
        while admission.room < 10_000:
            await asyncio.sleep(0.05)


async def test_a_single_pause_is_not_late(admission: Admission) -> None:
    admission.lag.stop()  # what a busy machine made it see before
    admission.lag.start()
    await block(1)
    assert admission.lag.seconds == pytest.approx(0.0, abs=0.03)


async def test_how_busy_the_loop_is_is_seen(admission: Admission) -> None:
    async with asyncio.timeout(30):
        while admission.lag.busy > 0.5:
            await asyncio.sleep(0.06)
        while admission.lag.busy < 0.5:
            began = time.thread_time()
            while time.thread_time() - began < PAUSE:
                pass
            await asyncio.sleep(0)


async def test_nobody_looks_before_it_starts_and_after_it_stops(admission: Admission) -> None:
    await block(5)
    admission.lag.stop()
    assert admission.lag.seconds == 0.0
    assert Admission().lag.seconds == 0.0
