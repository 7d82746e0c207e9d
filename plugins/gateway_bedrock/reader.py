"""Reads the messages of a ConverseStream as events."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gateway import End, Event, Failure, Opaque, Reasoning, Text, ToolCall
from gateway.events import Frame
from gateway.protocols import Reader
from gateway.wire.json import decode_said
from gateway.wire.unicode import Halves
from gateway.wire.upstream import object_in
from gateway_bedrock.framing import StreamMessage
from gateway_bedrock.saying import citation_of, failure_of, finish_of, usage_of, words

_TEXT, _THINKING, _CALL = "text", "thinking", "call"


class ConverseReader:
    """Reads one attempt's messages. Usage comes after the stop, in `metadata`, which is the end."""

    __slots__ = ("_calls", "_foreign", "_halves", "_parts", "_spoke")

    def __init__(self) -> None:
        self._parts: dict[tuple[int, str], int] = {}
        """The part of each block, by its index and kind: some models give a thinking and a text one index."""
        self._calls: dict[int, str] = {}
        """The id of each call that is not complete, by the index of its block."""
        self._spoke: set[int] = set()
        """The calls of which any argument came."""
        self._foreign: set[int] = set()
        """Blocks without neutral words: what the upstream's own tools did, images."""
        self._halves = Halves()

    def read(self, frame: Frame) -> list[Event]:
        """What the message says, at least one `Opaque`; one that cannot be read is a `Failure`."""
        broken, kind, text = "", "", ""
        if isinstance(frame, StreamMessage):
            broken, kind, text = frame.broken, frame.message_type, frame.text
        if broken:
            return [_malformed(f"The upstream sent bytes that are no event stream: {broken}.", frame)]
        try:
            said = decode_said(frame.data) if frame.data else {}
        except ValueError:
            return [_malformed("The upstream sent an event that is not valid JSON.", frame)]
        if kind == "exception" or kind == "error":
            return [failure_of(frame.name, said or {"message": text}, frame)]
        return self._events(frame, said) or [Opaque(kind=frame.name or "unknown", source=frame)]

    def _events(self, frame: Frame, said: Mapping[str, Any]) -> list[Event]:
        name = frame.name
        index = said.get("contentBlockIndex")
        at = index if type(index) is int else 0
        if name == "contentBlockDelta":
            return [] if at in self._foreign else self._delta(frame, at, object_in(said, "delta"))
        if name == "contentBlockStart":
            return self._begin(frame, at, object_in(said, "start"))
        if name == "contentBlockStop":
            self._foreign.discard(at)
            return self._rest(frame, at)
        if name == "messageStop":
            finish = finish_of(said, frame)
            rest = [event for left in {key[0] for key in self._parts} for event in self._rest(frame, left)]
            return [*rest, *([finish] if finish is not None else [])]
        if name == "metadata":
            usage = object_in(said, "usage")
            return [*([usage_of(usage, frame)] if usage else []), End(source=frame)]
        return []

    def _begin(self, frame: Frame, at: int, start: Mapping[str, Any]) -> list[Event]:
        call = object_in(start, "toolUse")
        if call.get("type") is not None or "toolResult" in start or "image" in start:
            self._foreign.add(at)
        if not call or at in self._foreign:  # what a text or a thinking begins with says nothing
            return []
        id = words(call, "toolUseId") or ""
        self._calls[at] = id
        part = self._part(at, _CALL)
        return [ToolCall(part=part, id=id, name=words(call, "name") or "", source=frame)]

    def _delta(self, frame: Frame, at: int, delta: Mapping[str, Any]) -> list[Event]:
        text = delta.get("text")
        if isinstance(text, str):
            said = self._halves.joined((at, _TEXT), text)
            return [Text(text=said, part=self._part(at, _TEXT), source=frame)] if said else []
        call = object_in(delta, "toolUse")
        if isinstance(arguments := call.get("input"), str):
            said = self._halves.joined((at, _CALL), arguments)
            if not said:
                return []
            self._spoke.add(at)
            return [ToolCall(part=self._part(at, _CALL), id=self._calls.get(at), arguments=said, source=frame)]
        thought = object_in(delta, "reasoningContent")
        if thought:
            return self._think(frame, at, thought)
        cited = object_in(delta, "citation")
        return [citation_of(cited, self._part(at, _TEXT), frame)] if cited else []

    def _think(self, frame: Frame, at: int, thought: Mapping[str, Any]) -> list[Event]:
        redacted = words(thought, "redactedContent")
        if redacted:
            return [Reasoning(part=self._part(at, "redacted"), redacted=redacted, source=frame)]
        text, signature = thought.get("text"), words(thought, "signature") or None
        said = self._halves.joined((at, _THINKING), text) if isinstance(text, str) else ""
        if not said and signature is None:
            return []
        return [Reasoning(text=said, part=self._part(at, _THINKING), signature=signature, source=frame)]

    def _rest(self, frame: Frame, at: int) -> list[Event]:
        """What is left of a block that ends: halves nothing will complete, the arguments of a call without any."""
        events: list[Event] = []
        if half := self._halves.left((at, _TEXT)):
            events.append(Text(text=half, part=self._part(at, _TEXT), source=frame))
        if half := self._halves.left((at, _THINKING)):
            events.append(Reasoning(text=half, part=self._part(at, _THINKING), source=frame))
        id = self._calls.pop(at, None)
        if id is not None:
            rest = self._halves.left((at, _CALL)) or ("" if at in self._spoke else "{}")
            if rest:
                events.append(ToolCall(part=self._part(at, _CALL), id=id, arguments=rest, source=frame))
            self._spoke.discard(at)
        return events

    def _part(self, at: int, kind: str) -> int:
        return self._parts.setdefault((at, kind), len(self._parts))


def _malformed(message: str, frame: Frame) -> Failure:
    return Failure(code="upstream_protocol", message=message, source=frame)


if TYPE_CHECKING:
    _: type[Reader] = ConverseReader
