"""Everything that measures in one generation of plugins: opened with it, closed with it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from threading import Lock
from typing import Final, Self

from gateway import Gateway
from gateway_metrics.catalog import LOOP_LAG
from gateway_metrics.listening import listening
from gateway_metrics.recorder import Recorder
from gateway_metrics.sampling import sampled
from gateway_metrics.settings import Settings
from gateway_metrics.shared import Counted, Sample, Shared

_LOOK: Final = 0.25
"""Seconds between two looks at the event loop; every fourth time the others are told how this worker is."""


class Metrics:
    """One worker's metrics."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self.settings: Settings = gateway.settings
        self.recorder = Recorder(self.settings)
        self._shared: Shared | None = None
        self._telling = Lock()

    @classmethod
    def of(cls, gateway: Gateway) -> Self:
        """The same for all hooks of one generation."""
        state = gateway.state
        if not hasattr(state, "metrics"):
            state.metrics = cls(gateway)
        found: Self = state.metrics
        return found

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Count with the other workers, look at the event loop, and listen where that is asked for."""
        shared = Shared(self._gateway.serving.data_dir / "metrics")
        async with AsyncExitStack() as stack:
            try:
                self.recorder.count_in(await asyncio.to_thread(shared.join))
            except OSError as error:
                # A full disk must not keep a worker from serving; its numbers are then its own.
                self._gateway.log.error("metrics_not_shared", error=error.strerror or str(error))
            else:
                self._shared = shared
                stack.push_async_callback(self._leave)
            looking = asyncio.create_task(self._look(), name="metrics")
            stack.push_async_callback(_cancelled, looking)
            if self.settings.port is not None:
                await stack.enter_async_context(listening(self.settings.host, self.settings.port, self.text))
            yield

    async def text(self, accept: str) -> tuple[str, bytes]:
        """Content type and text of all metrics of all workers, as far as they can be read."""
        await self._say()
        return await asyncio.to_thread(self._rendered, accept)

    def _rendered(self, accept: str) -> tuple[str, bytes]:
        # Here and not above: only who is asked needs the library.
        from gateway_metrics.exposition import render

        if self._shared is not None:
            try:
                return render(self._shared.read(), accept)
            except OSError as error:
                self._gateway.log.error("metrics_not_shared", error=error.strerror or str(error))
        sample = sampled(self._gateway.stats)
        totals = {**self.recorder.tally.totals(), **dict(sample.counts)}
        return render(Counted(totals, [sample]), accept)

    async def _look(self) -> None:
        loop, tally = asyncio.get_running_loop(), self.recorder.tally
        lag = tally.series(LOOP_LAG, ())
        while True:
            await self._say()
            for _ in range(4):
                due = loop.time() + _LOOK
                await asyncio.sleep(_LOOK)
                tally.observe(lag, LOOP_LAG, max(0.0, loop.time() - due))

    async def _say(self) -> None:
        await asyncio.to_thread(self._tell, sampled(self._gateway.stats))

    def _tell(self, sample: Sample) -> None:
        # A thread goes on when nobody waits for it any more: nothing is to be told behind `_leave`.
        with self._telling:
            if self._shared is None:
                return
            try:
                self._shared.say(sample)
            except OSError as error:
                self._gateway.log.debug("metrics_not_shared", error=error.strerror or str(error))

    async def _leave(self) -> None:
        await self._say()
        await asyncio.to_thread(self._leave_others)

    def _leave_others(self) -> None:
        with self._telling:
            shared, self._shared = self._shared, None
            self.recorder.tally.close()
            try:
                if shared is not None:
                    shared.leave()
            except OSError as error:
                self._gateway.log.error("metrics_not_shared", error=error.strerror or str(error))


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
