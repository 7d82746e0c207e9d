"""The usage sinks of the generation that serves."""

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence

from gateway.domain import UsageRecord
from gateway.protocols import Logger, UsageSink
from gateway.runtime import Faults, Generations, Registered

_STAGE = "usage_sinks"


class Quarantined(Exception):
    """The sink of this plugin failed too often in a row, and is left alone for now."""


class CurrentSinks:
    """The current generation's sinks, asked for anew for every delivery; a generation stays open while they write.

    One that keeps failing is not called for a while; what it has not taken waits for it.
    """

    def __init__(self, generations: Generations, faults: Faults, log: Logger) -> None:
        self._generations = generations
        self._faults = faults
        self._log = log

    def __len__(self) -> int:
        return len(self._generations.current.usage_sinks) if self._generations.is_open else 0

    def __iter__(self) -> Iterator[tuple[str, UsageSink]]:
        if not self._generations.is_open:
            return
        held = self._generations.hold()
        try:
            seen: Counter[str] = Counter()
            for sink in held.generation.usage_sinks:
                seen[sink.plugin] += 1
                number = seen[sink.plugin]
                # The name is what the journal remembers by how far a sink has the records.
                name = sink.plugin if number == 1 else f"{sink.plugin}#{number}"
                yield name, _Watched(sink, self._faults, self._log)
        finally:
            self._generations.let_go(held)


class _Watched:
    """One sink, whose faults are remembered."""

    def __init__(self, sink: Registered[UsageSink], faults: Faults, log: Logger) -> None:
        self._sink = sink
        self._faults = faults
        self._log = log

    async def write(self, records: Sequence[UsageRecord]) -> None:
        """Hand the records on; raises what the sink raises, and `Quarantined` without asking one that keeps failing."""
        plugin = self._sink.plugin
        if self._faults.quarantined(plugin, _STAGE):
            raise Quarantined(plugin)
        try:
            await self._sink.object.write(records)
        except (Exception, asyncio.CancelledError):
            # The delivery's clock cancels; so does what a sink waits for, and was itself cancelled.
            if self._faults.failed(plugin, _STAGE):
                self._log.error("plugin_quarantined", plugin=plugin, hook=f"register_{_STAGE}")
            raise
        self._faults.worked(plugin, _STAGE)
