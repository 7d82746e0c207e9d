"""Wrong: its stream transform keeps what it has seen for all answers together."""

from gateway import End, Event, Exchange, Failure, Finish, Step, StreamTransform, Text, hookimpl


class Forgetful:
    def __init__(self) -> None:
        self._seen: list[str] = []

    def start(self, exchange: Exchange) -> Step:
        return self._step

    def _step(self, events: list[Event]) -> list[Event]:
        out: list[Event] = []
        for event in events:
            if isinstance(event, Text):
                self._seen.append(event.text)
                continue
            if isinstance(event, Finish | End | Failure) and self._seen:
                out.append(Text(text="".join(self._seen)))
                self._seen.clear()
            out.append(event)
        return out


@hookimpl
def register_stream_transforms() -> list[StreamTransform]:
    return [Forgetful()]
