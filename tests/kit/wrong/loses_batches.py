"""Wrong: its sink keeps the list it was lent, and empties it."""

from collections.abc import Sequence

from gateway import UsageRecord, UsageSink, hookimpl


class Emptying:
    def __init__(self) -> None:
        self.seen: set[str] = set()

    async def write(self, records: Sequence[UsageRecord]) -> None:
        while records:
            self.seen.add(records.pop().attempt_id)


@hookimpl
def register_usage_sinks() -> list[UsageSink]:
    return [Emptying()]
