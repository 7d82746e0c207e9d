"""A cancellation is the task's own only where somebody has asked the task to end."""

import asyncio

import pytest

from gateway.cancellation import StrayCancellation, strays_as_errors


async def waits_for(future) -> None:
    with strays_as_errors():
        await future


async def test_what_was_waited_for_was_cancelled():
    future = asyncio.get_running_loop().create_future()
    future.cancel()
    with pytest.raises(StrayCancellation, match="what it waited for was cancelled"):
        await waits_for(future)


async def test_the_task_was_cancelled():
    task = asyncio.create_task(waits_for(asyncio.get_running_loop().create_future()))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()


async def test_a_limit_of_time_is_told_as_such():
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await waits_for(asyncio.get_running_loop().create_future())
