"""Wrong: its observer takes for granted that every answer tells its tokens."""

from collections.abc import Callable, Sequence

from gateway import End, Event, Exchange, Gateway, StreamObserver, Usage, hookimpl


class Tokens:
    def __init__(self, gateway: Gateway) -> None:
        self._log = gateway.log

    def start(self, exchange: Exchange) -> Callable[[Sequence[Event]], None]:
        seen: list[int] = []

        def told(events: Sequence[Event]) -> None:
            for event in events:
                if isinstance(event, Usage) and event.output is not None:
                    seen.append(event.output)
                if isinstance(event, End):
                    self._log.info("tokens", output=seen[-1])

        return told


@hookimpl
def register_stream_observers(gateway: Gateway) -> list[StreamObserver]:
    return [Tokens(gateway)]
