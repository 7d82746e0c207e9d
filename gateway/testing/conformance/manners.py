"""What is asked of every object that is called while a request waits: it yields, and it stops when told."""

import asyncio
from typing import Any

from gateway.runtime.blocking import LoopWatch
from gateway.testing.bench import Bench
from gateway.testing.conformance.evidence import places_of
from gateway.testing.conformance.suite import Conformance, check, fail
from gateway.testing.standin import StandInSnapshot


class MannersChecks(Conformance):
    """Base of the kinds whose objects have one async method that matters; `use` calls it."""

    async def use(self, made: Any) -> None:
        """Call the object once, as the gateway does."""

    def snapshot(self) -> StandInSnapshot:
        """The registry that the gateway under the plugin has."""
        return StandInSnapshot()

    def bench(self, **options: Any) -> Bench:
        """A whole pipeline around the plugin, over that registry."""
        return super().bench(**{"snapshot": self.snapshot(), **options})

    @check
    async def test_does_not_block_the_loop(self) -> None:
        """All exchanges share one event loop: whoever waits, waits with `await`."""
        async with self.bench():
            made = self.under_test
            places = (*places_of(made), *(self.subject.places if self.plugin else ()))
            with LoopWatch(lambda: dict.fromkeys(places, "")) as watch:
                await self._used(made)
                await asyncio.sleep(0.1)
        if watch.blocked:
            fail(f"blocks the event loop at {watch.blocked.where}; await, or use `asyncio.to_thread`")

    @check
    async def test_stops_when_cancelled(self) -> None:
        """A client that leaves cancels what is done for it."""
        async with self.bench():
            task = asyncio.ensure_future(self._used(self.under_test))
            await asyncio.sleep(0)
            task.cancel()
            _, running = await asyncio.wait((task,), timeout=self.patience)
        if running:
            fail("swallows cancellation: it goes on after its exchange has ended; let `CancelledError` through")

    @check
    async def test_serves_many_at_once(self) -> None:
        """One object serves all exchanges of its generation."""
        async with self.bench():
            made = self.under_test
            try:
                async with asyncio.timeout(self.patience * 2):
                    await asyncio.gather(*(self._used(made) for _ in range(50)))
            except TimeoutError:
                fail("hangs when 50 exchanges ask at once")

    async def _used(self, made: Any) -> None:
        try:
            await self.use(made)
        except Exception:  # noqa: BLE001 - what it raises is judged by other checks
            return
