"""One block of an answer's content while it is read: what its deltas say, whatever they were cut into."""

from typing import Any, Final

from gateway.events import Event, Frame, Opaque, Reasoning, Text, ToolCall
from gateway.wire.json import encode_value
from gateway.wire.messages.event import Block, Delta
from gateway.wire.messages.failure import citation_of
from gateway.wire.unicode import split_half, well_formed

READ: Final = frozenset(("text", "thinking", "redacted_thinking", "tool_use"))
"""The kinds of blocks that have words in every dialect."""


class OpenBlock:
    """A block that has begun; `index` is its place in the content, and its part."""

    __slots__ = ("_half", "_index", "_input", "_spoke", "id", "kind")

    def __init__(self, index: int, block: Block) -> None:
        self.kind = block.type or ""
        self.id = well_formed(block.id) if block.id is not None else None
        self._index = index
        self._input = block.input
        self._half = ""
        """The first half of a surrogate pair whose second half the next delta may bring."""
        self._spoke = False
        """Whether any argument of the call came."""

    def begin(self, block: Block, frame: Frame | None) -> list[Event]:
        """What the block says as it begins: nearly always nothing but its kind."""
        index = self._index
        if self.kind == "tool_use":
            return [ToolCall(part=index, id=self.id, name=well_formed(block.name or ""), source=frame)]
        if self.kind == "redacted_thinking":
            return [Reasoning(part=index, redacted=well_formed(block.data or ""), source=frame)]
        events = self.say(
            Delta(text=block.text, thinking=block.thinking, signature=block.signature or None),
            frame,
        )
        for native in block.citations if isinstance(block.citations, list) else ():
            if (citation := citation_of(native, index, source=frame)) is not None:
                events.append(citation)
        return events

    def say(self, delta: Delta, frame: Frame | None) -> list[Event]:
        """What a delta adds."""
        index = self._index
        if self.kind == "text":
            events: list[Event] = []
            if delta.text and (text := self._joined(delta.text)):
                events.append(Text(text=text, part=index, source=frame))
            if delta.citation is not None and (cited := citation_of(delta.citation, index, source=frame)) is not None:
                events.append(cited)
            return events
        if self.kind == "thinking":
            text = self._joined(delta.thinking) if delta.thinking else ""
            signature = well_formed(delta.signature) if delta.signature else None
            return [Reasoning(text=text, part=index, signature=signature, source=frame)] if text or signature else []
        if self.kind == "tool_use" and delta.partial_json:
            self._spoke = True
            arguments = self._joined(delta.partial_json)
            return [ToolCall(part=index, id=self.id, arguments=arguments, source=frame)] if arguments else []
        return []

    def end(self, frame: Frame | None) -> list[Event]:
        """What is left to say: a half nothing will complete, and the arguments of a call that came all at once."""
        half, self._half = self._half, ""
        if self.kind == "tool_use" and not self._spoke:
            self._spoke = True
            return [ToolCall(part=self._index, id=self.id, arguments=arguments_of(self._input), source=frame)]
        if not half:
            return []
        if self.kind == "tool_use":
            return [ToolCall(part=self._index, id=self.id, arguments="\ufffd", source=frame)]
        kind = Text if self.kind == "text" else Reasoning
        return [kind(text="\ufffd", part=self._index, source=frame)]

    def _joined(self, text: str) -> str:
        if text.isascii() and not self._half:
            return text
        text, self._half = split_half(self._half + text)
        return well_formed(text)


def arguments_of(input: Any) -> str:
    """The input of a call as JSON text; an empty object where there is none."""
    return bytes(encode_value(input if isinstance(input, dict) else {})).decode()


def opaque(kind: str | None, frame: Frame | None) -> Opaque:
    """An event that says nothing neutral."""
    return Opaque(kind=kind or "unknown", source=frame)
