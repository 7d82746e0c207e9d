"""The sink that writes what attempts consumed into the table `usage`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gateway import Gateway, UsageRecord, UsageSink


class Ledger:
    """Adds records in batches; an attempt that is there already is left as it is, so nothing is counted twice."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def write(self, records: Sequence[UsageRecord]) -> None:
        """Store the records; raises `DatabaseUnavailable`, and the journal offers them again."""
        from gateway.registry import (
            UsageStore,
        )  # at the first batch: it costs every start that needs none half a second

        await UsageStore(self._gateway.database).add(records)


if TYPE_CHECKING:
    _: type[UsageSink] = Ledger
