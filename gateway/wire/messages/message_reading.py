"""The messages of a messages request as turns of a prompt."""

import base64
from collections.abc import Mapping
from typing import Any, Final

from gateway.errors import InvalidRequest
from gateway.prompt import (
    MediaPart,
    Message,
    OpaquePart,
    Part,
    ReasoningPart,
    Role,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from gateway.wire.json import encode_value
from gateway.wire.marks import unmarked
from gateway.wire.reading import boolean, listed, nothing_else, objected, optional_text, text

_ROLES: Final[Mapping[str, Role]] = {"user": "user", "assistant": "assistant", "system": "system"}
_MESSAGE: Final = frozenset(("role", "content"))


def read_message(value: Any, where: str) -> Message:
    """One element of `messages`; raises `InvalidRequest` naming the field."""
    given = objected(value, where)
    role = _ROLES.get(text(given.get("role"), f"{where}.role"))
    if role is None:
        raise InvalidRequest(f"'{where}.role' must be user, assistant or system.", param=f"{where}.role")
    parts = tuple(read_content(given.get("content"), f"{where}.content"))
    if parts and role == "user" and all(isinstance(part, ToolResultPart) for part in parts):
        role = "tool"
    return Message(role=role, parts=parts, extra=nothing_else(given, _MESSAGE))


def read_content(value: Any, where: str) -> list[Part]:
    """A text or an array of blocks."""
    if isinstance(value, str):
        return [TextPart(text=value)] if value else []
    return [_read_block(block, f"{where}[{i}]") for i, block in enumerate(listed(value, where))]


def read_system(value: Any) -> tuple[TextPart | OpaquePart, ...]:
    """The instructions."""
    return tuple(part for part in read_content(value, "system") if isinstance(part, TextPart | OpaquePart))


def _read_block(value: Any, where: str) -> Part:
    given = objected(value, where)
    kind = given.get("type")
    if kind == "text":
        return TextPart(text=text(given.get("text"), f"{where}.text"), extra=_extra(given, "text"))
    if kind == "image":
        return _read_media("image", given, where)
    if kind == "document":
        return _read_media("file", given, where)
    if kind == "thinking":
        signature, maker = unmarked(optional_text(given.get("signature"), f"{where}.signature") or "", "messages")
        words = text(given.get("thinking"), f"{where}.thinking")
        extra = _extra(given, "thinking", "signature")
        return ReasoningPart(text=words, signature=signature, maker=maker, extra=extra)
    if kind == "redacted_thinking":
        data, maker = unmarked(text(given.get("data"), f"{where}.data"), "messages")
        return ReasoningPart(redacted=data, maker=maker, extra=_extra(given, "data"))
    if kind == "tool_use":
        return ToolCallPart(
            id=text(given.get("id"), f"{where}.id"),
            name=text(given.get("name"), f"{where}.name"),
            arguments=bytes(encode_value(objected(given.get("input"), f"{where}.input"))).decode(),
            extra=_extra(given, "id", "name", "input"),
        )
    if kind == "tool_result":
        return _read_result(given, where)
    return OpaquePart(dialect="messages", value=given)


def _read_result(given: dict[str, Any], where: str) -> ToolResultPart:
    parts = read_content(given.get("content"), f"{where}.content")
    return ToolResultPart(
        id=text(given.get("tool_use_id"), f"{where}.tool_use_id"),
        parts=tuple(part for part in parts if isinstance(part, TextPart | MediaPart | OpaquePart)),
        is_error=boolean(given.get("is_error"), f"{where}.is_error") or False,
        extra=_extra(given, "tool_use_id", "content", "is_error"),
    )


def _read_media(kind: Any, given: dict[str, Any], where: str) -> Part:
    source = objected(given.get("source"), f"{where}.source")
    way = source.get("type")
    if way not in ("base64", "text", "url", "file"):
        return OpaquePart(dialect="messages", value=given)
    name = optional_text(given.get("title"), f"{where}.title") if kind == "file" else None
    extra = _extra(given, "source", *(("title",) if kind == "file" else ()))
    if way == "url":
        url = text(source.get("url"), f"{where}.source.url")
        return MediaPart(kind=kind, url=url, name=name, extra=extra)
    if way == "file":
        id = text(source.get("file_id"), f"{where}.source.file_id")
        return MediaPart(kind=kind, id=id, name=name, extra=extra)
    data = text(source.get("data"), f"{where}.source.data")
    if way == "text":
        data = base64.b64encode(data.encode("utf-8", "replace")).decode()
    media_type = optional_text(source.get("media_type"), f"{where}.source.media_type")
    return MediaPart(kind=kind, media_type=media_type, data=data, name=name, extra=extra)


def _extra(given: dict[str, Any], *known: str) -> Mapping[str, Any]:
    return nothing_else(given, frozenset(("type", *known)))
