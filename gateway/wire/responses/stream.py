"""The output of a response while it is streamed: items and contents begin, go on, and are repeated as they end."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from gateway.wire.json import encode_value
from gateway.wire.responses.contents import Json
from gateway.wire.responses.output import Content, Item

_encode: Final = msgspec.json.encode
_TEXT: Final = (
    b"event: response.output_text.delta\n"
    b'data: {"type":"response.output_text.delta","item_id":%b,"output_index":%d,"content_index":%d,"delta":%b,'
    b'"logprobs":[],"sequence_number":%d}\n\n'
)
"""Written without a detour: nearly all that is written is this."""
_NAMES: Final[Mapping[str, str]] = {
    "output_text": "response.output_text",
    "refusal": "response.refusal",
    "summary_text": "response.reasoning_summary_text",
    "reasoning_text": "response.reasoning_text",
    "function_call": "response.function_call_arguments",
    "custom_tool_call": "response.custom_tool_call_input",
}
_PARTS: Final[Mapping[str, str]] = {"summary_text": "response.reasoning_summary_part"}
_WORDS: Final[Mapping[str, str]] = {"refusal": "refusal", "function_call": "arguments", "custom_tool_call": "input"}
"""How an end names the whole of what its deltas said, where not `text`."""


class OutputStream:
    """Items and events, numbered; one message or thinking is open at a time, calls stay open beside it."""

    __slots__ = ("_suffix", "content", "item", "items", "sequence")

    def __init__(self, suffix: str) -> None:
        self._suffix = suffix
        self.items: list[Item] = []
        self.item: Item | None = None
        """The message or thinking that goes on."""
        self.content: Content | None = None
        """What of it goes on."""
        self.sequence = 0
        """The number of the next event."""

    def event(self, name: str, **said: Any) -> bytes:
        """One event; numbered."""
        number = self.sequence
        self.sequence += 1
        data = encode_value({"type": name, **said, "sequence_number": number})
        return b"event: " + name.encode() + b"\ndata: " + bytes(data) + b"\n\n"

    def begin(self, kind: str, given: Mapping[str, Any], **more: Any) -> tuple[bytes, Item]:
        """A new item; messages and thinking end the one before."""
        out = self.close()
        item = Item(kind, len(self.items), self._suffix, given, **more)
        self.items.append(item)
        if kind in ("message", "reasoning"):
            self.item = item
        return out + self.event("response.output_item.added", output_index=item.index, item=item.value()), item

    def open(self, item: Item, kind: str) -> bytes:
        """A new content of the open item."""
        out = self.close_content()
        self.content = content = Content(kind)
        item.contents.append(content)
        name = _PARTS.get(kind, "response.content_part") + ".added"
        return out + self.event(name, **self._place(item, content), part=content.value())

    def say(self, text: str, logprobs: Any = None) -> bytes:
        """Go on with the open content."""
        item, content = self.item, self.content
        assert item is not None
        assert content is not None
        said = content.add(text, logprobs)
        if content.kind == "output_text" and not said:
            number = self.sequence
            self.sequence += 1
            return _TEXT % (_encode(item.id), item.index, len(item.contents) - 1, _encode(text), number)
        more: Json = {"logprobs": said} if content.kind == "output_text" else {}
        return self.event(_NAMES[content.kind] + ".delta", **self._place(item, content), delta=text, **more)

    def argue(self, item: Item, text: str) -> bytes:
        """Go on with the arguments of a call."""
        if not item.contents:
            item.contents.append(Content(item.kind))
        item.contents[0].add(text)
        return self.event(_NAMES[item.kind] + ".delta", item_id=item.id, output_index=item.index, delta=text)

    def annotate(self, said: Mapping[str, Any]) -> bytes:
        """A source of the open text."""
        item, content = self.item, self.content
        assert item is not None
        assert content is not None
        return self.event(
            "response.output_text.annotation.added",
            **self._place(item, content),
            annotation_index=len(content.annotations) - 1,
            annotation=said,
        )

    def close_content(self) -> bytes:
        """The end of the open content, and the whole of it."""
        item, content = self.item, self.content
        if item is None or content is None:
            return b""
        self.content = None
        place, value = self._place(item, content), content.value()
        whole: Json = {_WORDS.get(content.kind, "text"): content.text}
        if content.kind == "output_text":
            whole["logprobs"] = content.logprobs
        out = self.event(_NAMES[content.kind] + ".done", **place, **whole)
        return out + self.event(_PARTS.get(content.kind, "response.content_part") + ".done", **place, part=value)

    def close(self, status: str = "completed") -> bytes:
        """The end of the open message or thinking."""
        out, item = self.close_content(), self.item
        self.item = None
        return out if item is None else out + self._done(item, status)

    def close_all(self, status: str) -> bytes:
        """The end of everything that goes on."""
        out = self.close(status)
        for item in self.items:
            if item.status == "in_progress" and item.kind in _WORDS:
                whole = {_WORDS[item.kind]: "".join(content.text for content in item.contents)}
                out += self.event(_NAMES[item.kind] + ".done", item_id=item.id, output_index=item.index, **whole)
                out += self._done(item, status)
        return out

    def output(self) -> list[Json]:
        """All items as far as they were said."""
        return [item.value() for item in self.items]

    def _done(self, item: Item, status: str) -> bytes:
        item.status = status
        return self.event("response.output_item.done", output_index=item.index, item=item.value())

    @staticmethod
    def _place(item: Item, content: Content) -> Json:
        name = "summary_index" if content.kind == "summary_text" else "content_index"
        same = [c for c in item.contents if (c.kind == "summary_text") is (content.kind == "summary_text")]
        return {"item_id": item.id, "output_index": item.index, name: same.index(content)}
