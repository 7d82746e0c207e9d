"""Carries settled records from the journal to the sinks: in batches, until each sink has taken them."""

import asyncio
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import Final, Protocol

from gateway.cancellation import strays_as_errors
from gateway.protocols import Logger, UsageSink
from gateway.usage.pages import after, forget, reach
from gateway.usage.scribe import Scribe

BATCH: Final = 500
"""Records a sink gets at once, at most."""
KEPT: Final = 1_000_000
"""Records that may wait in the file for a sink that fails; beyond it the oldest are given up, and counted."""
FIRST_PAUSE, LONGEST_PAUSE = 0.02, 30.0
"""Seconds until a sink that failed is tried again, doubled each time."""
AGAIN: Final = 1.0
"""Seconds until the file is tried again, where it cannot be read or written."""
GATHER: Final = 0.25
"""Seconds from one delivery to the next, at least: it costs a few transactions, however few records it brings."""
PROMPT: Final = 10.0
"""Seconds that a sink may take for a batch."""


class Sinks(Protocol):
    """The sinks as they are now, each with its name; a list will do."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[tuple[str, UsageSink]]: ...


class Delivery:
    """One task: every sink gets every record, in order; one that fails is tried again and holds no other one up."""

    def __init__(self, scribe: Scribe, sinks: Sinks, log: Logger) -> None:
        self._scribe = scribe
        self._sinks = sinks
        self._log = log
        self._wake = asyncio.Event()
        self._failing: dict[str, tuple[float, float]] = {}
        """Of a sink that failed: when it is tried again, and how long it was waited for that."""
        self._again: float | None = None
        """When the file is tried again, if it failed."""
        self._last = -GATHER
        """When the last delivery was over."""
        self._closing = asyncio.Event()
        self.waiting = 0
        """Records in the file that some sink has not taken, counted after each delivery."""
        self.since: float | None = None
        """When the oldest of them was settled, in seconds since the epoch; None when none waits."""
        self.given_up = 0
        """Records that a sink never took, and nobody will offer again."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="usage-delivery")

    def wake(self) -> None:
        """There is something to deliver."""
        self._wake.set()

    async def aclose(self) -> None:
        """Offer every sink what is there once more, then stop; what it does not take stays in the journal."""
        self._closing.set()
        self._wake.set()
        await self._task

    async def _run(self) -> None:
        while True:
            await self._wait()
            self._wake.clear()
            closing = self._closing.is_set()
            try:
                await self._deliver(list(self._sinks), closing=closing)
            except sqlite3.Error as error:
                if self._again is None:
                    self._log.error("usage_journal_failing", error=str(error))
                self._again = asyncio.get_running_loop().time() + AGAIN
            else:
                self._again = None
            self._last = asyncio.get_running_loop().time()
            if closing:
                return

    async def _deliver(self, sinks: Sequence[tuple[str, UsageSink]], *, closing: bool) -> None:
        names = [name for name, _ in sinks]
        for gone in self._failing.keys() - names:
            del self._failing[gone]
        # Until it was counted: a sink may take long to fail.
        self.since = (self.since or time.time()) if names else None
        for name, sink in sinks:
            if closing or self._is_due(name):
                await self._offer(name, sink)
        if names:
            given_up, self.waiting, self.since = await self._scribe.ask(partial(forget, sinks=names, keep=KEPT))
            if given_up:
                self.given_up += given_up
                self._log.error("usage_given_up", records=given_up)

    async def _wait(self) -> None:
        """Return when there is something to deliver, a while after the last delivery; or when a retry is due."""
        times = [when for when, _ in self._failing.values()]
        due = min(times if self._again is None else (*times, self._again), default=None)
        try:
            async with asyncio.timeout_at(due):
                with suppress(TimeoutError):
                    async with asyncio.timeout_at(self._last + GATHER):
                        await self._closing.wait()
                await self._wake.wait()
        except TimeoutError:
            return

    def _is_due(self, name: str) -> bool:
        when, _ = self._failing.get(name, (0.0, 0.0))
        return when <= asyncio.get_running_loop().time()

    async def _offer(self, name: str, sink: UsageSink) -> None:
        """Give a sink all it has not got yet; the first batch that it does not take ends that for now.

        So does one that is not full: what came meanwhile gathers for the next delivery, and is not fetched in crumbs.
        """
        full = True
        while full and (batch := await self._scribe.ask(partial(after, sink=name, limit=BATCH))):
            try:
                async with asyncio.timeout(PROMPT):
                    with strays_as_errors():
                        await sink.write([record for _, record in batch])
            except Exception as error:  # noqa: BLE001 - a named border: a sink's fault must not reach exchanges
                self._failed(name, len(batch), error)
                return
            self._failing.pop(name, None)
            await self._scribe.ask(partial(reach, sink=name, number=batch[-1][0]))
            full = len(batch) == BATCH

    def _failed(self, name: str, records: int, error: Exception) -> None:
        _, pause = self._failing.get(name, (0.0, FIRST_PAUSE / 2))
        pause = min(LONGEST_PAUSE, 2 * pause)
        self._failing[name] = (asyncio.get_running_loop().time() + pause, pause)
        kind = type(error).__name__
        self._log.error("usage_sink_failed", plugin=name, records=records, error=kind, seconds=round(pause, 1))
