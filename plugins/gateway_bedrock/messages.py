"""Turns of a prompt as the messages of a Converse request."""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from gateway import MediaPart, Message, OpaquePart, Part, ReasoningPart, TextPart, ToolCallPart, ToolResultPart
from gateway.wire.json import arguments_object
from gateway_bedrock.media import MediaWriter

_Json = dict[str, Any]
DIALECT: Final = "converse"
_NOT_IN_IDS: Final = re.compile(r"[^a-zA-Z0-9_-]")
_LONGEST_ID: Final = 64


class MessageWriter:
    """Writes turns as messages: user and assistant by turns, no text blank, results before the words after them."""

    __slots__ = ("_media",)

    def __init__(self) -> None:
        self._media = MediaWriter()

    def system(self, parts: Iterable[Part]) -> list[_Json]:
        """The instructions."""
        return self._content(parts)

    def messages(self, messages: Sequence[Message]) -> list[_Json]:
        """The conversation. Turns of one side that follow one another are one; turns without a word are left out."""
        out: list[_Json] = []
        for message in messages:
            results = [part for part in message.parts if isinstance(part, ToolResultPart)]
            rest = [part for part in message.parts if not isinstance(part, ToolResultPart)]
            content = self._content((*results, *rest))
            role = "assistant" if message.role == "assistant" else "user"
            if content and out and out[-1]["role"] == role:
                out[-1]["content"] += content
            elif content:
                out.append({"role": role, "content": content})
        return out

    def _content(self, parts: Iterable[Part]) -> list[_Json]:
        blocks: list[_Json] = []
        for part in parts:
            block = self._block(part)
            if block is None:
                continue
            blocks.append(block)
            if not isinstance(part, OpaquePart) and (point := cache_point(part.extra)):
                blocks.append(point)
        return blocks

    def _block(self, part: Part) -> _Json | None:
        if isinstance(part, TextPart):
            return {"text": part.text} if part.text.strip() else None
        if isinstance(part, MediaPart):
            return self._media.block(part)
        if isinstance(part, ReasoningPart):
            return _thinking(part)
        if isinstance(part, ToolCallPart):
            call = {"toolUseId": _id(part.id), "name": part.name, "input": arguments_object(part.arguments)}
            return {"toolUse": call}
        if isinstance(part, ToolResultPart):
            result: _Json = {"toolUseId": _id(part.id), "content": self._content(part.parts)}
            return {"toolResult": {**result, "status": "error"} if part.is_error else result}
        return None


def cache_point(extra: Mapping[str, Any]) -> _Json | None:
    """What `cache_control` of another dialect is here: a block of its own behind the one that is the last to keep."""
    control = extra.get("cache_control")
    if not isinstance(control, dict):
        return None
    ttl = control.get("ttl")
    return {"cachePoint": {"type": "default", **({"ttl": ttl} if isinstance(ttl, str) else {})}}


def _thinking(part: ReasoningPart) -> _Json | None:
    """Only what a model behind Bedrock has signed: anything else is refused."""
    if part.maker != DIALECT:
        return None
    if part.redacted is not None:
        return {"reasoningContent": {"redactedContent": part.redacted}}
    if part.signature is None:
        return None
    return {"reasoningContent": {"reasoningText": {"text": part.text, "signature": part.signature}}}


def _id(id: str) -> str:
    """Ids of other makers may have signs that are refused, or be too long; a call and its result are changed alike."""
    if len(id) > _LONGEST_ID:
        return hashlib.blake2b(id.encode("utf-8", "surrogatepass"), digest_size=_LONGEST_ID // 2).hexdigest()
    return _NOT_IN_IDS.sub("_", id) or "_"
