"""The watch over the event loop finds the plugin that holds it up, and nobody else."""

import asyncio
import threading
import time
from pathlib import Path

from gateway.runtime.blocking import Blocked, LoopWatch

HERE = Path(__file__)


async def test_the_line_that_holds_up_the_loop_is_named():
    told: list[Blocked] = []
    heard = threading.Event()

    def tell(blocked: Blocked) -> None:
        told.append(blocked)
        heard.set()

    with LoopWatch(lambda: {HERE: "here"}, tell) as watch:
        await asyncio.sleep(0.1)
        assert watch.blocked is None
        assert heard.wait(60)  # the fault itself
    assert watch.blocked is not None
    assert watch.blocked.plugin == "here"
    assert "test_blocking.py:" in watch.blocked.where
    assert "heard.wait(60)" in watch.blocked.where
    assert told == [watch.blocked]


async def test_a_folder_is_everything_in_it_and_no_other_of_a_longer_name():
    beginning, heard = HERE.with_name("test_block"), threading.Event()
    with LoopWatch(lambda: {beginning: "other", HERE.parent: "here"}, lambda blocked: heard.set()) as watch:
        assert heard.wait(60)  # the fault itself
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
