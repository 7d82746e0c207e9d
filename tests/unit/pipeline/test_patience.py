"""A limit of time ends what the task waits for, and nothing else."""

import asyncio

import pytest

from gateway.pipeline.patience import Patience


async def forever() -> None:
    await asyncio.Event().wait()


async def test_who_waits_too_long_is_told() -> None:
    with pytest.raises(TimeoutError), Patience(0.01):
        await forever()
    await asyncio.sleep(0)  # the task is not asked to end any more


async def test_who_is_done_in_time_is_left_alone() -> None:
    with Patience(0.01):
        await asyncio.sleep(0)
    await asyncio.sleep(0.05)


async def test_what_was_raised_in_time_passes() -> None:
    with pytest.raises(ValueError, match="mine"), Patience(20):
        raise ValueError("mine")


async def test_of_two_limits_the_first_one_counts() -> None:
    with Patience(20):
        with pytest.raises(TimeoutError), Patience(0.01):
            await forever()
        await asyncio.sleep(0)
    with pytest.raises(TimeoutError), Patience(0.01), Patience(20):
        await forever()


async def test_whoever_else_wants_the_task_to_end_gets_it() -> None:
    async def waiting() -> None:
        with Patience(20):
            began.set()
            await forever()

    began = asyncio.Event()
    task = asyncio.create_task(waiting())
    await began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_limit_that_runs_out_beside_a_cancellation_gives_way_to_it() -> None:
    async def waiting() -> None:
        with Patience(0.01):
            try:
                await forever()
            except asyncio.CancelledError:
                asyncio.current_task().cancel()  # type: ignore[union-attr]
                raise

    task = asyncio.create_task(waiting())
    with pytest.raises(asyncio.CancelledError):
        await task
