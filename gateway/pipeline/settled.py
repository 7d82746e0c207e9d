"""The end of an exchange: the observers that want to know hear how it ended, and its attempts let go of it."""

from collections.abc import Sequence
from typing import Final, NoReturn, cast

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


class _Over:
    """Stands in an attempt for an exchange that is over."""

    def __getattr__(self, name: str) -> NoReturn:
        raise RuntimeError(
            "This exchange is over, and its attempts have let go of it. Keep the exchange itself: it has its attempts."
        )


_OVER: Final = cast("Exchange", _Over())


def let_go(exchange: Exchange) -> None:
    """Part the attempts from their exchange: nobody asks it anything any more.

    Else they keep each other, and all the client sent, until the garbage collector comes.
    """
    for attempt in exchange.attempts:
        attempt.exchange = _OVER
