"""Reads the frames of a messages stream as events."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from gateway.events import End, Event, Failure, Finish, Frame, Opaque, Start, Usage
from gateway.wire.messages.blocks import READ, OpenBlock, opaque
from gateway.wire.messages.event import Block, Delta, Said, block_of, decode_fast, decode_skimmed, said_of
from gateway.wire.messages.failure import REASONS, failure_of, usage_of
from gateway.wire.unicode import well_formed
from gateway.wire.upstream import Malformed, parse_object

_DELTA: Final = "content_block_delta"
_PASSING: Final = frozenset(("content_block_start", "content_block_stop", "ping"))
"""Events that say neither an end nor usage nor an error, and are no content either."""
_NOTHING: Final = (Opaque(kind="passing"),)


class MessagesReader:
    """Reads one attempt's frames; the part of an event is its block's index."""

    __slots__ = ("_blocks", "_usage")

    def __init__(self) -> None:
        self._blocks: dict[int, OpenBlock] = {}
        self._usage: dict[str, Any] = {}
        """All that was told: later events repeat only what has changed."""

    def read(self, frame: Frame) -> list[Event]:
        """What the frame says, at least one `Opaque`; a frame that cannot be read is a `Failure`."""
        data = frame.data
        if data is None:
            return [opaque(frame.name or "comment", frame)]
        if data[:6] == b"[DONE]":  # some proxies say it everywhere
            return [opaque("done", frame)]
        try:
            if not data.isascii():
                data.decode()
            said = decode_fast(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            said = None
        try:
            if said is None:
                said = said_of(parse_object(data))
            return self._events(frame, said) or [opaque(said.type or frame.name, frame)]
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
            kind = decode_skimmed(data).type
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return self.read(frame)
        if kind == _DELTA:
            return ()
        return _NOTHING if kind in _PASSING else self.read(frame)

    def _events(self, frame: Frame, said: Said) -> list[Event]:
        kind = said.type or frame.name
        if kind == _DELTA:
            return self._delta(frame, said.index, said.delta or Delta())
        if kind == "content_block_start":
            return self._begin(frame, said.index, said.content_block)
        if kind == "content_block_stop":
            block = self._blocks.pop(said.index, None)
            if block is not None and block.kind not in READ:
                return [opaque(block.kind, frame)]
            return block.end(frame) if block is not None else []
        if kind == "message_start":
            return self._start(frame, said.message)
        if kind == "message_delta":
            return [*self._rest(frame), *self._counted(frame, said.usage), *_finish(frame, said.delta or Delta())]
        if kind == "message_stop":
            return [*self._rest(frame), End(source=frame)]
        if kind == "error" or (kind is None and said.error is not None):
            return [failure_of(said.error, source=frame)]
        return []

    def _start(self, frame: Frame, message: Any) -> list[Event]:
        if not isinstance(message, dict):
            raise Malformed("the message is no object")
        return [start_of(message, frame), *self._counted(frame, message.get("usage"))]

    def _begin(self, frame: Frame, index: int, given: Any) -> list[Event]:
        value = block_of(given)
        block = self._blocks[index] = OpenBlock(index, value)
        return block.begin(value, frame) if block.kind in READ else [opaque(block.kind, frame)]

    def _delta(self, frame: Frame, index: int, delta: Delta) -> list[Event]:
        block = self._blocks.get(index)
        if block is None:  # its beginning was skimmed, or never sent
            kind = next((kind for kind, said in _BY_DELTA if getattr(delta, said) is not None), "")
            block = self._blocks[index] = OpenBlock(index, Block(type=kind))
        return block.say(delta, frame) if block.kind in READ else [opaque(block.kind, frame)]

    def _rest(self, frame: Frame) -> list[Event]:
        """What blocks that were never ended have left to say."""
        blocks, self._blocks = self._blocks, {}
        return [event for block in blocks.values() if block.kind in READ for event in block.end(frame)]

    def _counted(self, frame: Frame, usage: Any) -> list[Usage]:
        if not isinstance(usage, dict):
            return []
        self._usage = {**self._usage, **{name: said for name, said in usage.items() if said is not None}}
        return [usage_of(self._usage, source=frame)]


_BY_DELTA: Final = (("text", "text"), ("thinking", "thinking"), ("thinking", "signature"), ("tool_use", "partial_json"))


def start_of(message: dict[str, Any], source: Frame | None = None) -> Start:
    """The name of the answer a message begins."""
    id, model = message.get("id"), message.get("model")
    return Start(
        id=well_formed(id) if isinstance(id, str) else None,
        model=well_formed(model) if isinstance(model, str) else None,
        source=source,
    )


def _finish(frame: Frame, delta: Delta) -> list[Finish]:
    if not delta.stop_reason:
        return []
    native = well_formed(delta.stop_reason)
    stop = delta.stop_sequence
    return [
        Finish(
            reason=REASONS.get(native, "other"),
            native=native,
            stop_sequence=None if stop is None else well_formed(stop),
            source=frame,
        )
    ]


def _malformed(frame: Frame) -> Failure:
    return Failure(code="upstream_protocol", message="The upstream sent an event that is not valid JSON.", source=frame)
