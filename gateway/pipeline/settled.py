"""Tells the observers that want to know how every exchange ended."""

from collections.abc import Sequence

from gateway.domain import Exchange, UsageRecord
from gateway.pipeline.calls import Calls
from gateway.runtime import Generation


def tell_settled(generation: Generation, exchange: Exchange, records: Sequence[UsageRecord], calls: Calls) -> None:
    """Call the `settled` of every observer that has one; what it raises is counted and changes nothing."""
    for observer in generation.stream_observers:
        settled = getattr(observer.object, "settled", None)
        if settled is None or calls.faults.quarantined(observer.plugin, "stream_observers"):
            continue
        try:
            settled(exchange, records)
        except Exception as error:  # noqa: BLE001 - a named border: an observer must not touch the answer
            calls.fault(observer.plugin, "stream_observers", error)
