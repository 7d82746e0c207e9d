"""Carries usage records to the sinks, in batches and off the request's path."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Protocol

from gateway.domain import UsageRecord
from gateway.protocols import Logger, UsageSink

BATCH = 500
"""Records a sink gets at once, at most."""
WAITING = 100_000
"""Records that may wait for slow sinks; beyond it the oldest are dropped and counted."""
PAUSE = 0.05
"""Seconds that a batch gathers."""


class Sinks(Protocol):
    """The sinks as they are now, each with its plugin's name; a list will do."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[tuple[str, UsageSink]]: ...


class UsageDispatcher:
    """Takes records without waiting; one task hands them on. A sink that fails loses nobody else's records.

    `sinks` are asked for anew for every batch: they may change while records come in.
    """

    def __init__(self, sinks: Sinks, log: Logger) -> None:
        self._sinks = sinks
        self._log = log
        self._waiting: list[UsageRecord] = []
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._closing = False
        self.dropped = 0
        """Records lost because the sinks were too slow."""

    @property
    def waiting(self) -> int:
        """Records on their way to the sinks."""
        return len(self._waiting)

    def take(self, record: UsageRecord) -> None:
        """Queue one record; never waits, never raises."""
        if not self._sinks:
            return
        if len(self._waiting) >= WAITING:
            del self._waiting[0]
            self.dropped += 1
        self._waiting.append(record)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._carry(), name="usage-dispatcher")
        self._wake.set()

    async def aclose(self) -> None:
        """Hand on what waits, then stop."""
        self._closing = True
        self._wake.set()
        if self._task is not None:
            await self._task

    async def _carry(self) -> None:
        while self._waiting or not self._closing:
            await self._wake.wait()
            self._wake.clear()
            if not self._closing:
                await asyncio.sleep(PAUSE)
            while self._waiting:
                batch, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
                await self._write(batch)

    async def _write(self, batch: Sequence[UsageRecord]) -> None:
        for plugin, sink in self._sinks:
            try:
                await sink.write(batch)
            except Exception as error:  # noqa: BLE001 - a named border: a sink's fault must not reach exchanges
                self._log.error("usage_sink_failed", plugin=plugin, records=len(batch), error=type(error).__name__)
