"""Reads the events of a chat stream of Cohere."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gateway import End, Event, Failure, Opaque, Reasoning, Start, Text, ToolCall
from gateway.events import Frame
from gateway.protocols import Reader
from gateway.wire.json import decode_said
from gateway.wire.unicode import Halves
from gateway.wire.upstream import object_in
from gateway_cohere.saying import citations_of, ending, failure_of, usage_of, words

_TEXT, _THINKING, _PLAN, _CALL = "text", "thinking", "plan", "call"
_Key = tuple[str, int]


class CohereReader:
    """Reads one attempt's events. What a model plans before it calls tools is thinking."""

    __slots__ = ("_calls", "_halves", "_parts", "_spoke", "_text")

    def __init__(self) -> None:
        self._parts: dict[_Key, int] = {}
        """The part of each block: contents and calls are counted apart."""
        self._calls: dict[int, str | None] = {}
        """The id of each call that is not complete."""
        self._spoke: set[int] = set()
        """The calls of which any argument came."""
        self._text: int | None = None
        """The part of the newest text, which citations belong to."""
        self._halves = Halves()

    def read(self, frame: Frame) -> list[Event]:
        """What the event says, at least one `Opaque`; one that cannot be read is a `Failure`."""
        data = frame.data
        if data is None or data[:6] == b"[DONE]":
            return [Opaque(kind=frame.name or "comment", source=frame)]
        try:
            said = decode_said(data)
        except ValueError:
            message = "The upstream sent an event that is not valid JSON."
            return [Failure(code="upstream_protocol", message=message, source=frame)]
        kind = words(said, "type") or frame.name
        if kind == "error" or (kind is None and (said.get("error") or said.get("message"))):
            return [failure_of(said, frame)]
        return self._events(frame, kind, said) or [Opaque(kind=kind or "unknown", source=frame)]

    def _events(self, frame: Frame, kind: str | None, said: Mapping[str, Any]) -> list[Event]:
        index = said.get("index")
        at = index if type(index) is int else 0
        message = object_in(object_in(said, "delta"), "message")
        if kind in ("content-delta", "content-start"):
            return self._content(frame, at, object_in(message, "content"))
        if kind == "tool-plan-delta":
            return self._say(frame, (_PLAN, 0), message.get("tool_plan"))
        if kind == "tool-call-start":
            return self._begin(frame, at, object_in(message, "tool_calls"))
        if kind == "tool-call-delta":
            return self._argue(frame, at, object_in(object_in(message, "tool_calls"), "function").get("arguments"))
        if kind == "tool-call-end":
            return self._rest(frame, at)
        if kind == "citation-start":
            return [*citations_of(object_in(message, "citations"), self._text, frame)]
        if kind == "message-start":
            return [Start(id=words(said, "id"), source=frame)]
        if kind == "message-end":
            return self._end(frame, object_in(said, "delta"))
        return []

    def _content(self, frame: Frame, at: int, content: Mapping[str, Any]) -> list[Event]:
        return [
            *self._say(frame, (_THINKING, at), content.get("thinking")),
            *self._say(frame, (_TEXT, at), content.get("text")),
        ]

    def _say(self, frame: Frame, key: _Key, text: Any) -> list[Event]:
        said = self._halves.joined(key, text) if isinstance(text, str) else ""
        return [self._spoken(frame, key, said)] if said else []

    def _spoken(self, frame: Frame, key: _Key, text: str) -> Event:
        part = self._part(key)
        if key[0] == _TEXT:
            self._text = part
            return Text(text=text, part=part, source=frame)
        return Reasoning(text=text, part=part, source=frame)

    def _begin(self, frame: Frame, at: int, call: Mapping[str, Any]) -> list[Event]:
        function = object_in(call, "function")
        self._calls[at] = id = words(call, "id")
        begun = ToolCall(part=self._part((_CALL, at)), id=id, name=words(function, "name") or "", source=frame)
        return [begun, *self._argue(frame, at, function.get("arguments"))]

    def _argue(self, frame: Frame, at: int, arguments: Any) -> list[Event]:
        said = self._halves.joined((_CALL, at), arguments) if isinstance(arguments, str) else ""
        if not said:
            return []
        self._spoke.add(at)
        return [ToolCall(part=self._part((_CALL, at)), id=self._calls.get(at), arguments=said, source=frame)]

    def _rest(self, frame: Frame, at: int) -> list[Event]:
        """What is left of a call that ends: a half nothing will complete, the object of one without arguments."""
        if at not in self._calls:
            return []
        id = self._calls.pop(at)
        rest = self._halves.left((_CALL, at)) or ("" if at in self._spoke else "{}")
        self._spoke.discard(at)
        return [ToolCall(part=self._part((_CALL, at)), id=id, arguments=rest, source=frame)] if rest else []

    def _end(self, frame: Frame, said: Mapping[str, Any]) -> list[Event]:
        events: list[Event] = [event for at in [*self._calls] for event in self._rest(frame, at)]
        for key in [key for key in self._parts if key[0] != _CALL]:
            if half := self._halves.left(key):
                events.append(self._spoken(frame, key, half))
        if usage := object_in(said, "usage"):
            events.append(usage_of(usage, frame))
        finish = ending(said, frame)
        if isinstance(finish, Failure):
            return [*events, finish]
        return [*events, *([finish] if finish is not None else []), End(source=frame)]

    def _part(self, key: _Key) -> int:
        return self._parts.setdefault(key, len(self._parts))


if TYPE_CHECKING:
    _: type[Reader] = CohereReader
