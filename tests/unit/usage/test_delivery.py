"""Delivery: how long records wait for the sinks, and that they come in batches."""

import asyncio
import time

import msgspec
from accounts import HANG, Sink, attempt, ended

from gateway.usage import delivery


async def test_the_lag_is_the_age_of_the_oldest_record_that_some_sink_lacks(journals, monkeypatch):
    monkeypatch.setattr(delivery, "FIRST_PAUSE", 0.05)
    broken, good = Sink(broken=ConnectionError("away")), Sink()
    journal = await journals(broken, good)
    assert journal.lag == 0
    journal.settled(msgspec.structs.replace(ended(attempt(1)), started_at=time.time() - 100, duration=10.0))
    journal.settled(ended(attempt(2)))
    await good.has(2)
    async with asyncio.timeout(HANG):
        while journal.lag < 90:
            await asyncio.sleep(0.01)
        assert journal.waiting == 2
        broken.broken = None
        while journal.lag:
            await asyncio.sleep(0.01)
    assert (broken.ids, journal.waiting) == (["e1-1", "e2-1"], 0)


async def test_a_cancellation_that_comes_up_from_a_sink_is_its_failure_and_ends_no_delivery(journals, log, monkeypatch):
    monkeypatch.setattr(delivery, "FIRST_PAUSE", 0.05)

    class Stray(Sink):
        async def write(self, records) -> None:
            if not self.asked:
                self.asked = 1
                waits_for = asyncio.get_running_loop().create_future()
                waits_for.cancel()
                await waits_for
            await super().write(records)

    stray, good = Stray(), Sink()
    journal = await journals(stray, good)
    for number in range(3):
        journal.settled(ended(attempt(number)))
    await good.has(3)
    await stray.has(3)
    assert stray.ids == good.ids == ["e0-1", "e1-1", "e2-1"]
    failures = [fields for event, fields in log.events if event == "usage_sink_failed"]
    assert [(one["plugin"], one["error"]) for one in failures] == [("sink0", "StrayCancellation")]


async def test_the_lag_grows_while_a_sink_has_not_said_whether_it_takes_a_record(journals):
    asked, answered = asyncio.Event(), asyncio.Event()

    class Slow(Sink):
        async def write(self, records) -> None:
            asked.set()
            await answered.wait()
            await super().write(records)

    journal = await journals(Slow())
    journal.settled(ended(attempt(1)))
    await asyncio.wait_for(asked.wait(), HANG)
    before = journal.lag
    await asyncio.sleep(0.01)
    assert 0 <= before < journal.lag
    answered.set()
    async with asyncio.timeout(HANG):
        while journal.lag:
            await asyncio.sleep(0.01)


async def test_what_comes_soon_after_a_delivery_goes_together_with_the_next(journals, monkeypatch):
    sink = Sink()
    journal = await journals(sink)
    monkeypatch.setattr(delivery, "GATHER", 1000.0)
    journal.settled(ended(attempt(0)))
    await sink.has(1)
    asked = sink.asked
    for number in range(1, 4):
        journal.settled(ended(attempt(number)))
        await journal.committed()
    assert sink.asked == asked
    await journal.aclose()
    assert sink.asked == asked + 1
    assert sink.ids == ["e0-1", "e1-1", "e2-1", "e3-1"]


async def test_what_is_settled_during_a_delivery_gathers_for_the_next_one(journals, monkeypatch):
    """A sink's transaction for each few records is what batches are there to avoid."""
    monkeypatch.setattr(delivery, "GATHER", 10 * HANG)

    class Busy(Sink):
        async def write(self, records) -> None:
            await super().write(records)
            if self.asked == 1:
                journal.settled(ended(attempt(2)))
                await waits(0)  # it is in the file, and was not counted yet
                taken.set()

    async def waits(count: int) -> None:
        async with asyncio.timeout(HANG):
            while journal.waiting != count:
                await asyncio.sleep(0.01)

    sink, taken = Busy(), asyncio.Event()
    journal = await journals(sink)
    journal.settled(ended(attempt(1)))
    await asyncio.wait_for(taken.wait(), HANG)
    await waits(1)
    assert sink.ids == ["e1-1"]
    await journal.aclose()
    assert sink.ids == ["e1-1", "e2-1"]
