"""A process that carries too much, or whose event loop is late, lets nobody in; a single pause is no overload."""

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from gateway.pipeline import Admission, Limits

PAUSE = 0.12
"""Longer than one look at the loop."""


@pytest.fixture
async def admission() -> AsyncIterator[Admission]:
    admission = Admission(Limits(in_flight=2, lag=0.03))
    admission.lag.start()
    yield admission
    admission.lag.stop()


async def block(turns: int) -> None:
    """Hold up the loop in so many turns, one after the other."""
    for _ in range(turns):
        time.sleep(PAUSE)  # noqa: ASYNC251 - this is the fault
        await asyncio.sleep(0)


async def test_no_more_than_its_number_are_let_in() -> None:
    admission = Admission(Limits(in_flight=2))
    assert [admission.refusal(running) is None for running in (0, 1, 2, 3)] == [True, True, False, False]
    assert admission.refused == 2


async def test_who_is_refused_is_told_when_to_come_again(admission: Admission) -> None:
    error = admission.refusal(2)
    assert error is not None
    assert (error.status, error.code, error.retry_after) == (503, "overloaded", 1.0)


async def test_a_single_pause_is_no_overload(admission: Admission) -> None:
    admission.lag.stop()  # what a busy machine made it see before
    admission.lag.start()
    await block(1)
    assert admission.refusal(0) is None


async def test_a_loop_that_is_late_again_and_again_lets_nobody_in_until_it_is_not(admission: Admission) -> None:
    await block(5)
    assert admission.lag.seconds > 0.03
    assert admission.refusal(0) is not None
    async with asyncio.timeout(30):
        while admission.refusal(0) is not None:
            await asyncio.sleep(0.05)


async def test_nobody_looks_before_it_starts_and_after_it_stops(admission: Admission) -> None:
    await block(5)
    admission.lag.stop()
    assert admission.lag.seconds == 0.0
    assert Admission().lag.seconds == 0.0
