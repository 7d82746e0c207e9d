"""The watch over the event loop finds the plugin that holds it up, and nobody else."""

import asyncio
import time
from pathlib import Path

from gateway.runtime.blocking import Blocked, LoopWatch

HERE = Path(__file__)


async def test_the_line_that_holds_up_the_loop_is_named():
    told: list[Blocked] = []
    with LoopWatch(lambda: {HERE: "here"}, told.append) as watch:
        await asyncio.sleep(0.1)
        assert watch.blocked is None
        time.sleep(1.0)  # noqa: ASYNC251 - the fault itself
    assert watch.blocked is not None
    assert watch.blocked.plugin == "here"
    assert "test_blocking.py:" in watch.blocked.where
    assert "time.sleep(1.0)" in watch.blocked.where
    assert told == [watch.blocked]


async def test_a_folder_is_everything_in_it_and_no_other_of_a_longer_name():
    beginning = HERE.with_name("test_block")
    with LoopWatch(lambda: {beginning: "other", HERE.parent: "here"}) as watch:
        time.sleep(0.6)  # noqa: ASYNC251 - the fault itself
    assert watch.blocked is not None
    assert watch.blocked.plugin == "here"


async def test_others_code_is_left_alone():
    with LoopWatch(lambda: {Path("elsewhere.py"): "elsewhere"}) as watch:
        time.sleep(0.6)  # noqa: ASYNC251 - the fault of somebody else
    assert watch.blocked is None


async def test_who_waits_holds_up_nobody():
    with LoopWatch(lambda: {HERE: "here"}) as watch:
        await asyncio.sleep(0.6)
    assert watch.blocked is None
