"""Turns of a prompt as the messages of a request to Cohere."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

from gateway import InvalidRequest, MediaPart, Message, Part, ReasoningPart, TextPart, ToolCallPart, ToolResultPart

_Json = dict[str, Any]
_OWN: Final = (None, "cohere")


def write_messages(system: Sequence[Part], messages: Sequence[Message]) -> list[_Json]:
    """The instructions and the conversation; each result of a tool is a message of its own.

    Raises `InvalidRequest` for media that Cohere cannot be given.
    """
    out = [{"role": "system", "content": _content(system)}] if system else []
    for message in messages:
        out += _message(message)
    return out


def _message(message: Message) -> Iterator[_Json]:
    results = [part for part in message.parts if isinstance(part, ToolResultPart)]
    for result in results:
        yield {"role": "tool", "tool_call_id": result.id, "content": _content(result.parts)}
    rest = [part for part in message.parts if not isinstance(part, ToolResultPart)]
    if results and not rest:
        return
    if message.role == "assistant":
        yield _said(rest)
    else:
        yield {"role": "user" if message.role == "tool" else message.role, "content": _content(rest)}


def _said(parts: Sequence[Part]) -> _Json:
    """A turn of the model: what it thought before it called tools was its plan."""
    calls = [_call(part) for part in parts if isinstance(part, ToolCallPart)]
    thoughts = [part.text for part in parts if isinstance(part, ReasoningPart) and part.maker in _OWN and part.text]
    content = _content(parts)
    out: _Json = {"role": "assistant"}
    if calls:
        if thoughts:
            out["tool_plan"] = "\n".join(thoughts)
        return {**out, **({"content": content} if content else {}), "tool_calls": calls}
    if thoughts:
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        return {**out, "content": [*({"type": "thinking", "thinking": text} for text in thoughts), *blocks]}
    return {**out, "content": content}


def _content(parts: Iterable[Part]) -> str | list[_Json]:
    blocks = [block for part in parts if (block := _block(part)) is not None]
    if not blocks:
        return ""
    return blocks[0]["text"] if len(blocks) == 1 and "text" in blocks[0] else blocks


def _block(part: Part) -> _Json | None:
    if isinstance(part, TextPart):
        return {"type": "text", "text": part.text} if part.text else None
    return _image(part) if isinstance(part, MediaPart) else None


def _image(part: MediaPart) -> _Json:
    is_image = part.kind == "image" or (part.media_type or "").startswith("image/")
    url = part.url if part.data is None else f"data:{part.media_type or 'image/png'};base64,{part.data}"
    if not is_image or url is None:
        what = {"image": "images by value or address alone", "audio": "no sounds", "file": "no files: use 'documents'"}
        raise InvalidRequest(f"The model of this request takes {what[part.kind]}.", param="messages")
    detail: Mapping[str, Any] = {"detail": part.extra["detail"]} if "detail" in part.extra else {}
    return {"type": "image_url", "image_url": {"url": url, **detail}}


def _call(part: ToolCallPart) -> _Json:
    return {
        "id": part.id,
        "type": "function",
        "function": {"name": part.name, "arguments": part.arguments if part.arguments.strip() else "{}"},
    }
