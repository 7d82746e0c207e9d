"""The usage sinks of the generation that serves."""

from collections.abc import Iterator

from gateway.protocols import UsageSink
from gateway.runtime import Generations


class CurrentSinks:
    """The current generation's sinks, asked for anew for every batch; a generation stays open while they write."""

    def __init__(self, generations: Generations) -> None:
        self._generations = generations

    def __len__(self) -> int:
        return len(self._generations.current.usage_sinks) if self._generations.is_open else 0

    def __iter__(self) -> Iterator[tuple[str, UsageSink]]:
        if not self._generations.is_open:
            return
        held = self._generations.hold()
        try:
            for sink in held.generation.usage_sinks:
                yield sink.plugin, sink.object
        finally:
            self._generations.let_go(held)
