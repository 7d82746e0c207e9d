"""A journal without a file: for pipelines that live as long as one check."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from gateway.cancellation import strays_as_errors
from gateway.domain import Attempt, UsageRecord
from gateway.protocols import Logger, UsageSink

if TYPE_CHECKING:
    from gateway.usage import Journal


class StraightJournal:
    """Hands every record to every sink at once; see `gateway.usage.Journal`."""

    durable = False

    def __init__(self, sinks: Sequence[tuple[str, UsageSink]], log: Logger) -> None:
        self._sinks = sinks
        self._log = log
        self._tasks: set[asyncio.Task[None]] = set()

    def began(self, attempt: Attempt) -> None:
        """Nothing is kept."""

    async def committed(self) -> None:
        """Nothing has to be."""

    def settled(self, record: UsageRecord) -> None:
        """Write it."""
        task = asyncio.get_running_loop().create_task(self._write(record))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def aclose(self) -> None:
        """Wait for the sinks."""
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _write(self, record: UsageRecord) -> None:
        for name, sink in self._sinks:
            try:
                with strays_as_errors():
                    await sink.write([record])
            except Exception as error:  # noqa: BLE001 - a named border: a sink's fault must not reach exchanges
                self._log.error("usage_sink_failed", plugin=name, error=type(error).__name__)


if TYPE_CHECKING:
    _: type[Journal] = StraightJournal
