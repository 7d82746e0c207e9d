"""The sinks of the generation that serves: every way in which one fails counts."""

import asyncio
from contextlib import suppress

import pytest

from gateway.app.sinks import CurrentSinks, Quarantined
from gateway.runtime import Faults, Generation, Generations, Registered
from gateway.runtime.faults import PATIENCE
from gateway.testing.standin import RecordingLog


class Stray:
    """Waits for what is cancelled."""

    async def write(self, records) -> None:
        waits_for = asyncio.get_running_loop().create_future()
        waits_for.cancel()
        await waits_for


class Hangs:
    """Never answers."""

    async def write(self, records) -> None:
        await asyncio.Event().wait()


@pytest.mark.parametrize("sink", [Stray(), Hangs()], ids=["strays", "hangs"])
async def test_one_that_keeps_being_cancelled_is_left_alone_for_a_while(sink):
    generations, log = Generations(), RecordingLog()
    await generations.publish(Generation(number=1, usage_sinks=(Registered("acme", sink),)))
    sinks = CurrentSinks(generations, Faults(), log)
    for _ in range(PATIENCE):
        for _, watched in sinks:
            with suppress(TimeoutError, asyncio.CancelledError):
                async with asyncio.timeout(0):
                    await watched.write([])
    for _, watched in sinks:
        with pytest.raises(Quarantined):
            await watched.write([])
    assert [event for _, event, _ in log.lines] == ["plugin_quarantined"]
    await generations.aclose()
