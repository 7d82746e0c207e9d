"""Turns of a prompt as the messages of a messages request."""

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

from gateway.prompt import (
    MediaPart,
    Message,
    OpaquePart,
    Part,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from gateway.wire.json import arguments_object
from gateway.wire.marks import marked
from gateway.wire.messages.media import write_media

_Json = dict[str, Any]
_KNOWN: Final = frozenset(("cache_control", "citations", "context"))
"""What another dialect's parts say besides, and messages upstreams know."""
_NOT_IN_IDS: Final = re.compile(r"[^a-zA-Z0-9_-]")


class MessageWriter:
    """Writes turns as messages; `lost` names what has no place there.

    `own` says that the prompt was read from a messages request: what its parts say besides is this dialect's then.
    """

    __slots__ = ("_own", "lost")

    def __init__(self, *, own: bool) -> None:
        self._own = own
        self.lost: list[str] = []

    def system(self, parts: Sequence[TextPart | OpaquePart]) -> str | list[_Json] | None:
        """The instructions; None where there are none."""
        return self._content(parts) or None

    def messages(self, messages: Sequence[Message]) -> list[_Json]:
        """The conversation of another dialect: results of tools and what the user said then are one turn.

        Turns without a word are left out. A model must be answered with all the results it asked for at once.
        """
        out: list[_Json] = []
        for message in messages:
            said = self.message(message)
            if not said["content"]:
                continue
            if out and said["role"] == "user" and _holds_results(out[-1]):
                out[-1]["content"] = [*_blocks(out[-1]["content"]), *_blocks(said["content"])]
            else:
                out.append(said)
        return out

    def message(self, message: Message) -> _Json:
        """One turn."""
        if message.name is not None:
            self.lost.append("name")
        role = "user" if message.role == "tool" else message.role
        parts = message.parts
        if not self._own:
            parts = (*_of(ToolResultPart, parts, True), *_of(ToolResultPart, parts, False))
        extra = message.extra if self._own else {}
        return {"role": role, "content": self._content(parts), **extra}

    def _content(self, parts: Iterable[Part]) -> str | list[_Json]:
        written = [block for part in parts if (block := self._block(part)) is not None]
        if len(written) == 1 and written[0].keys() == {"type", "text"}:
            return str(written[0]["text"])
        return written or ""

    def _block(self, part: Part) -> _Json | None:
        block = self._said(part)
        if block is None or isinstance(part, OpaquePart):
            return block
        return {**block, **{name: value for name, value in part.extra.items() if self._own or name in _KNOWN}}

    def _said(self, part: Part) -> _Json | None:
        if isinstance(part, TextPart):
            return {"type": "text", "text": part.text} if part.text or self._own else None
        if isinstance(part, ReasoningPart):
            return _thinking(part, own=self._own)
        if isinstance(part, ToolCallPart):
            return {
                "type": "tool_use",
                "id": self._id(part.id),
                "name": part.name,
                "input": arguments_object(part.arguments),
            }
        if isinstance(part, ToolResultPart):
            return self._result(part)
        if isinstance(part, MediaPart):
            block = write_media(part, own=self._own)
            if block is None:
                self.lost.append(part.kind)
            return block
        if part.dialect == "messages":
            return dict(part.value)
        self.lost.append("messages")
        return None

    def _result(self, part: ToolResultPart) -> _Json:
        block: _Json = {"type": "tool_result", "tool_use_id": self._id(part.id)}
        if content := self._content(part.parts):
            block["content"] = content
        return {**block, "is_error": True} if part.is_error else block

    def _id(self, id: str) -> str:
        """Ids of other makers may have signs that are refused; a call and its result are changed alike."""
        return id if self._own else _NOT_IN_IDS.sub("_", id) or "_"


def _thinking(part: ReasoningPart, *, own: bool) -> _Json | None:
    """Only what this maker has signed: anything else is refused."""
    if not own and part.maker != "messages":
        return None
    maker = part.maker or "messages"
    if part.redacted is not None:
        return {"type": "redacted_thinking", "data": marked(part.redacted, maker, "messages")}
    if not own and part.signature is None:
        return None
    return {"type": "thinking", "thinking": part.text, "signature": marked(part.signature, maker, "messages")}


def _of(kind: type[Part], parts: Sequence[Part], wanted: bool) -> list[Part]:
    return [part for part in parts if isinstance(part, kind) is wanted]


def _holds_results(message: _Json) -> bool:
    content = message["content"]
    return (
        message["role"] == "user"
        and isinstance(content, list)
        and any(block.get("type") == "tool_result" for block in content)
    )


def _blocks(content: str | list[_Json]) -> list[_Json]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content
