"""Turns of a prompt as the messages of a request to Ollama."""

import base64
import binascii
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from gateway import InvalidRequest, MediaPart, Message, Part, ReasoningPart, TextPart, ToolCallPart, ToolResultPart
from gateway.wire.json import arguments_object

_Json = dict[str, Any]
_OWN: Final = (None, "ollama")


def write_messages(system: Sequence[Part], messages: Sequence[Message]) -> list[_Json]:
    """The instructions and the conversation; each result of a tool is a message of its own.

    Raises `InvalidRequest` for media that Ollama cannot be given.
    """
    names = {part.id: part.name for message in messages for part in message.parts if isinstance(part, ToolCallPart)}
    out = [{"role": "system", **_content(system)}] if system else []
    for message in messages:
        out += _message(message, names)
    return out


def _message(message: Message, names: Mapping[str, str]) -> Iterator[_Json]:
    results = [part for part in message.parts if isinstance(part, ToolResultPart)]
    for result in results:
        said: _Json = {"role": "tool", **_content(result.parts), "tool_call_id": result.id}
        yield {**said, "tool_name": names[result.id]} if result.id in names else said
    rest = [part for part in message.parts if not isinstance(part, ToolResultPart)]
    if results and not rest:
        return
    out: _Json = {"role": "user" if message.role == "tool" else message.role, **_content(rest)}
    thoughts = [part.text for part in rest if isinstance(part, ReasoningPart) and part.maker in _OWN]
    if thought := "".join(thoughts):
        out["thinking"] = thought
    if calls := [_call(part) for part in rest if isinstance(part, ToolCallPart)]:
        out["tool_calls"] = calls
    yield out


def _content(parts: Iterable[Part]) -> _Json:
    texts: list[str] = []
    images: list[str] = []
    for part in parts:
        if isinstance(part, TextPart):
            texts.append(part.text)
        elif isinstance(part, MediaPart):
            _take(part, texts, images)
    said: _Json = {"content": "\n".join(texts)}
    return {**said, "images": images} if images else said


def _take(part: MediaPart, texts: list[str], images: list[str]) -> None:
    """An image goes by value, a document of text as text."""
    media_type = part.media_type or ""
    if part.data is not None and (part.kind == "image" or media_type.startswith("image/")):
        images.append(part.data)
        return
    words = _decoded(part.data) if part.data is not None and media_type.startswith("text/") else None
    if words is not None:
        texts.append(words)
        return
    what = {"image": "images by value (base64) alone", "audio": "no sounds", "file": "no documents but texts"}
    raise InvalidRequest(f"The model of this request takes {what[part.kind]}.", param="messages")


def _decoded(data: str) -> str | None:
    try:
        return base64.b64decode(data, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None


def _call(part: ToolCallPart) -> _Json:
    function = {"name": part.name, "arguments": arguments_object(part.arguments)}
    return {"id": part.id, "type": "function", "function": function}
