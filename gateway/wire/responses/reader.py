"""Reads the frames of a responses stream as events."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from gateway.events import End, Event, Failure, Frame, Opaque, Start
from gateway.wire.responses.event import Said, decode_fast, decode_skimmed, said_of
from gateway.wire.responses.failure import CALLS, citation_of, failure_of, finish_of, usage_of
from gateway.wire.responses.items import READ, OpenItem
from gateway.wire.unicode import well_formed
from gateway.wire.upstream import Malformed, parse_object

DERIVED: Final = "derived"
"""The kind of a frame whose words are told by other events: whoever writes the answer anew says them himself."""
_BEGINS: Final = frozenset(("response.created", "response.in_progress", "response.queued"))
_ENDS: Final = frozenset(("response.completed", "response.incomplete"))
_FAILS: Final = frozenset(("response.failed", "response.cancelled"))
_THINKING: Final = frozenset(("response.reasoning_summary_text.delta", "response.reasoning_text.delta"))
_ARGUMENTS: Final = frozenset(("response.function_call_arguments.delta", "response.custom_tool_call_input.delta"))
_DONE: Final = frozenset(
    (
        "response.content_part.added",
        "response.content_part.done",
        "response.custom_tool_call_input.done",
        "response.function_call_arguments.done",
        "response.output_text.done",
        "response.reasoning_summary_part.done",
        "response.reasoning_summary_text.done",
        "response.reasoning_text.done",
        "response.refusal.done",
    )
)
_DELTAS: Final = frozenset((*_THINKING, *_ARGUMENTS, "response.output_text.delta", "response.refusal.delta"))
_NOTHING: Final = (Opaque(kind="passing"),)


class ResponsesReader:
    """Reads one attempt's frames; every content of a message, every thinking and every call is a part."""

    __slots__ = ("_called", "_items", "_numbers", "_skimmed", "begun", "response", "sequence")

    def __init__(self) -> None:
        self._items: dict[int | str, OpenItem] = {}
        """By `output_index`, or by id where an upstream does not count."""
        self._numbers = itertools.count()
        self._called = False
        self._skimmed = False
        """Whether deltas passed unread."""
        self.begun: dict[int, OpenItem] = {}
        """The item of each part that was mentioned."""
        self.response: Mapping[str, Any] = {}
        """The response as it was told last."""
        self.sequence = -1
        """The number of the last event."""

    def read(self, frame: Frame) -> list[Event]:
        """What the frame says, at least one `Opaque`; a frame that cannot be read is a `Failure`."""
        data = frame.data
        if data is None:
            return [Opaque(kind=frame.name or "comment", source=frame)]
        if data[:6] == b"[DONE]":  # some proxies say it everywhere
            return [Opaque(kind="done", source=frame)]
        try:
            if not data.isascii():
                data.decode()
            said = decode_fast(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            said = None
        try:
            if said is None:
                said = said_of(parse_object(data))
            self.sequence = said.sequence_number or self.sequence + 1
            return self._events(frame, said) or [Opaque(kind=DERIVED, source=frame)]
        except Malformed:
            return [_malformed(frame)]

    def skim(self, frame: Frame) -> Sequence[Event]:
        """Nothing of a frame that only goes on; of any other what `read` says."""
        data = frame.data
        if data is None:
            return _NOTHING
        try:
            if not data.isascii():
                data.decode()
            said = decode_skimmed(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return self.read(frame)
        kind = said.type
        if kind in _DELTAS:
            self._skimmed = True
        elif kind not in _DONE:
            return self.read(frame)
        self.sequence = said.sequence_number or self.sequence + 1
        return () if kind in _DELTAS else _NOTHING

    def whole(self, response: Mapping[str, Any]) -> list[Event]:
        """What a response that came in one piece says, up to its end."""
        return [_start(response, None), *self._ended(response, None)]

    def place(self, index: int, given: Mapping[str, Any]) -> OpenItem | None:
        """The item that was read of what a response has at that place of its output, or has under that id."""
        id, item = given.get("id"), self._items.get(index)
        if id and (item is None or item.given.get("id") != id):
            item = next((other for other in self._items.values() if other.given.get("id") == id), item)
        return item if item is not None and item.kind == given.get("type") else None

    def _events(self, frame: Frame, said: Said) -> list[Event]:
        kind = said.type or frame.name or ""
        if kind == "response.output_text.delta":
            item = self._item(said, "message")
            events = item.text(said.content_index, said.delta or "", frame, logprobs=said.logprobs)
        elif kind in _ARGUMENTS:
            item = self._item(said, "function_call" if kind.startswith("response.function") else "custom_tool_call")
            events = item.arguments(said.delta or "", frame)
        elif kind in _THINKING:
            item = self._item(said, "reasoning")
            events = item.thinking(said.delta or "", frame, summary=said.summary_index)
        elif kind == "response.refusal.delta":
            item = self._item(said, "message")
            events = item.refusal(said.content_index, said.delta or "", frame)
        elif kind == "response.output_text.annotation.added":
            item = self._item(said, "message")
            cited = citation_of(said.annotation, item.part(said.content_index), source=frame)
            events = [] if cited is None else [cited]
        elif kind == "response.reasoning_summary_part.added":
            item = self._item(said, "reasoning")
            events = item.turn(said.summary_index, frame)
        elif kind in ("response.output_item.added", "response.output_item.done"):
            return self._output_item(frame, said, done=kind.endswith("done"))
        else:
            return self._of_the_whole(frame, said, kind)
        for part in item.parts.values():
            self.begun[part] = item
        return events

    def _of_the_whole(self, frame: Frame, said: Said, kind: str) -> list[Event]:
        if kind in _BEGINS:
            return [_start(self._told(said), frame)]
        if kind in _ENDS:
            return self._ended(self._told(said), frame)
        if kind in _FAILS:
            return [failure_of(self._told(said).get("error"), source=frame)]
        if kind == "error" or (not kind and said.error is not None):
            nested = said.error if isinstance(said.error, dict) else parse_object(frame.data or b"{}")
            return [failure_of(nested, source=frame)]
        return [] if kind in _DONE else [Opaque(kind=kind, source=frame)]

    def _told(self, said: Said) -> Mapping[str, Any]:
        if not isinstance(said.response, dict):
            raise Malformed("the response is no object")
        self.response = said.response
        return self.response

    def _item(self, said: Said, kind: str) -> OpenItem:
        key = said.item_id or 0 if said.output_index is None else said.output_index
        item = self._items.get(key)
        if item is None:  # its beginning was never sent
            item = self._items[key] = OpenItem({"type": kind, "id": said.item_id}, self._numbers)
        return item

    def _output_item(self, frame: Frame, said: Said, *, done: bool) -> list[Event]:
        if not isinstance(said.item, dict):
            return []
        id = said.item.get("id")
        key = (id if isinstance(id, str) else 0) if said.output_index is None else said.output_index
        return self._take(key, said.item, frame, done=done) or [self._silent(key, said.item, frame, done=done)]

    def _silent(self, key: int | str, item: Mapping[str, Any], frame: Frame, *, done: bool) -> Opaque:
        """Of items with words in every dialect only thinking that ended without any is told by no other event."""
        kind = str(item.get("type"))
        wordless = done and kind == "reasoning" and not self._skimmed and not self._items[key].told
        return Opaque(kind=DERIVED if kind in READ and not wordless else kind, source=frame)

    def _take(self, key: int | str, given: Mapping[str, Any], frame: Frame | None, *, done: bool) -> list[Event]:
        """An item as it begins, or as a whole."""
        item, events = self._items.get(key), []
        kind = given.get("type")
        if item is None or item.kind != kind:
            item = self._items[key] = OpenItem(given, self._numbers)
            self._called = self._called or kind in CALLS
            events = item.begin(frame)
        if kind not in READ:
            return []
        if done:
            events += item.end(given, frame, catches_up=not self._skimmed)
        for part in item.parts.values():
            self.begun[part] = item
        return events

    def _ended(self, response: Mapping[str, Any], frame: Frame | None) -> list[Event]:
        """What no event before has said, usage, and the end."""
        self.response = response
        status = response.get("status")
        if status in ("failed", "cancelled"):
            return [failure_of(response.get("error"), source=frame)]
        output, events = response.get("output"), []
        for index, given in enumerate(output if isinstance(output, list) else ()):
            if isinstance(given, dict) and index not in self._items and given.get("id") not in self._items:
                events += self._take(index, given, frame, done=True)
        if isinstance(usage := response.get("usage"), dict):
            events.append(usage_of(usage, source=frame))
        if status not in ("queued", "in_progress"):
            events.append(finish_of(response, called=self._called, source=frame))
        return [*events, End(source=frame)]


def _start(response: Mapping[str, Any], source: Frame | None) -> Start:
    id, model, created = response.get("id"), response.get("model"), response.get("created_at")
    return Start(
        id=well_formed(id) if isinstance(id, str) else None,
        model=well_formed(model) if isinstance(model, str) else None,
        created=int(created) if isinstance(created, int | float) else None,
        source=source,
    )


def _malformed(frame: Frame) -> Failure:
    return Failure(code="upstream_protocol", message="The upstream sent an event that is not valid JSON.", source=frame)
