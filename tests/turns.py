"""How much Python runs between two turns of the event loop: what waits for one waits that long, on any machine."""

import asyncio
import sys
from collections.abc import Awaitable
from types import FrameType


async def longest_turn(work: Awaitable[object]) -> int:
    """Calls of Python functions in the longest turn while `work` is done, by the event loop's thread."""
    made = longest = 0

    def count(frame: FrameType, event: str, argument: object) -> None:
        nonlocal made
        made += event == "call"

    async def turn() -> None:
        nonlocal made, longest
        while True:
            longest, made = max(longest, made), 0
            await asyncio.sleep(0)

    turning = asyncio.create_task(turn())
    before = sys.getprofile()
    sys.setprofile(count)
    try:
        await work
        await asyncio.sleep(0)  # the last turn counts, too
        await asyncio.sleep(0)
    finally:
        sys.setprofile(before)
        turning.cancel()
    return longest
