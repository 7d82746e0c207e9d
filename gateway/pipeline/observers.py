"""The observers of one attempt's answer."""

import inspect
from collections.abc import Callable, Sequence

from gateway.domain import Exchange
from gateway.events import Event
from gateway.pipeline.calls import Calls
from gateway.protocols import OBSERVED
from gateway.runtime import Generation

_Wants = frozenset[type[Event]]
_Callback = Callable[[Sequence[Event]], None]
_First = Callable[[Exchange], None]


class Observers:
    """Tells each observer the events it wants; what one of them raises is counted and changes nothing."""

    __slots__ = ("_calls", "_firsts", "_listeners", "_listening", "_wanted")

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._listeners: list[tuple[str, _Wants, _Callback]] = []
        self._firsts: list[tuple[str, _First]] = []
        self._wanted: _Wants = frozenset()
        self._listening: dict[type[Event], tuple[tuple[str, _Callback], ...]] = {}
        """Who wants events of a kind, as far as it was asked."""

    def add(self, plugin: str, wants: _Wants, callback: _Callback) -> None:
        """Tell this one, too, after those before it."""
        self._listeners.append((plugin, wants, callback))
        self._wanted |= wants
        self._listening.clear()

    def add_first(self, plugin: str, callback: _First) -> None:
        """Call this one when the first content goes out."""
        self._firsts.append((plugin, callback))

    def opened(self, exchange: Exchange) -> None:
        """The first content goes to the client."""
        for plugin, callback in self._firsts:
            try:
                callback(exchange)
            except Exception as error:  # noqa: BLE001 - a named border: an observer must not touch the answer
                self._calls.fault(plugin, "stream_observers", error)

    @property
    def wants_content(self) -> bool:
        """Whether somebody looks at more than how the answer begins and ends."""
        return not self._wanted <= OBSERVED

    def tell(self, events: Sequence[Event]) -> None:
        """What goes to the client, before it is written."""
        if len(events) == 1:
            self.tell_one(events[0])
            return
        wanted = self._wanted
        for event in events:
            if type(event) in wanted:
                break
        else:
            return
        # Tuples, because they are shared: no observer can change what the next one is told.
        picked: dict[_Wants, tuple[Event, ...]] = {}
        for plugin, wants, callback in self._listeners:
            told = picked.get(wants)
            if told is None:
                told = picked[wants] = tuple([event for event in events if type(event) in wants])
            if told:
                self._call(plugin, callback, told)

    def tell_one(self, event: Event) -> None:
        """The same for a single event: most reads of a stream bring one delta, and that is what looking costs."""
        listening = self._listening.get(type(event))
        if listening is None:
            kind = type(event)
            listening = tuple((plugin, callback) for plugin, wants, callback in self._listeners if kind in wants)
            self._listening[kind] = listening
        told = (event,)
        for plugin, callback in listening:
            try:
                callback(told)
            except Exception as error:  # noqa: BLE001 - a named border: an observer must not touch the answer
                self._calls.fault(plugin, "stream_observers", error)

    def _call(self, plugin: str, callback: _Callback, told: tuple[Event, ...]) -> None:
        try:
            callback(told)
        except Exception as error:  # noqa: BLE001 - a named border: an observer must not touch the answer
            self._calls.fault(plugin, "stream_observers", error)


def start_observers(generation: Generation, exchange: Exchange, calls: Calls) -> Observers | None:
    """The observers of this attempt; None when nobody looks."""
    observers: Observers | None = None
    for observer in generation.stream_observers:
        if calls.faults.quarantined(observer.plugin, "stream_observers"):
            continue
        try:
            callback = observer.object.start(exchange)
            if _is_async(callback):
                raise TypeError("its callback is async: nobody would await it")
        except Exception as error:  # noqa: BLE001 - a named border: an observer must not touch the answer
            calls.fault(observer.plugin, "stream_observers", error)
            continue
        first: _First | None = getattr(observer.object, "first_content", None)
        if callback is not None or first is not None:
            observers = observers or Observers(calls)
        if observers is not None and first is not None:
            observers.add_first(observer.plugin, first)
        if observers is not None and callback is not None:
            observers.add(observer.plugin, getattr(observer.object, "wants", OBSERVED), callback)
    return observers


def _is_async(callback: object) -> bool:
    """As `inspect.iscoroutinefunction` says; functions and methods answer it themselves, ten times as fast."""
    code = getattr(callback, "__code__", None)
    if code is not None:
        return bool(code.co_flags & inspect.CO_COROUTINE)
    return callback is not None and inspect.iscoroutinefunction(callback)
