"""The observers of one attempt's answer."""

import inspect
from collections.abc import Callable, Sequence

from gateway.domain import Exchange
from gateway.events import Event
from gateway.pipeline.calls import Calls
from gateway.protocols import OBSERVED
from gateway.runtime import Generation

_Callback = Callable[[Sequence[Event]], None]


class Observers:
    """Tells each observer the events it wants; what one of them raises is counted and changes nothing."""

    __slots__ = ("_callbacks", "_calls", "_wanted")

    def __init__(self, callbacks: list[tuple[str, frozenset[type[Event]], _Callback]], calls: Calls) -> None:
        self._callbacks = callbacks
        self._calls = calls
        self._wanted = frozenset[type[Event]]().union(*(wants for _, wants, _ in callbacks))

    def tell(self, events: Sequence[Event]) -> None:
        """What goes to the client, before it is written."""
        wanted = self._wanted
        if not any(type(event) in wanted for event in events):
            return
        for plugin, wants, callback in self._callbacks:
            told = [event for event in events if type(event) in wants]
            if told:
                try:
                    callback(told)
                except Exception as error:  # noqa: BLE001 - a named border: an observer must not touch the answer
                    self._calls.fault(plugin, "stream_observers", error)


def start_observers(generation: Generation, exchange: Exchange, calls: Calls) -> Observers | None:
    """The observers of this attempt; None when nobody looks."""
    callbacks: list[tuple[str, frozenset[type[Event]], _Callback]] = []
    for observer in generation.stream_observers:
        if calls.faults.quarantined(observer.plugin, "stream_observers"):
            continue
        try:
            callback = observer.object.start(exchange)
            if inspect.iscoroutinefunction(callback):
                raise TypeError("its callback is async: nobody would await it")
        except Exception as error:  # noqa: BLE001 - a named border: an observer must not touch the answer
            calls.fault(observer.plugin, "stream_observers", error)
            continue
        if callback is not None:
            wants: frozenset[type[Event]] = getattr(observer.object, "wants", OBSERVED)
            callbacks.append((observer.plugin, wants, callback))
    return Observers(callbacks, calls) if callbacks else None
