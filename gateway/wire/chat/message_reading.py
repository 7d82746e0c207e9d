"""The messages of a chat request as turns of a prompt."""

from itertools import groupby
from typing import Any, Final

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
from gateway.wire.chat.details import Details
from gateway.wire.chat.proofs import is_foreign, signature_of
from gateway.wire.reading import listed, nothing_else, objected, optional_text, text

_ROLES: Final[dict[str, Role]] = {
    "user": "user",
    "assistant": "assistant",
    "tool": "tool",
    "function": "tool",
    "system": "system",
    "developer": "system",
}
FUNCTION_CALL: Final = "function_call"
"""The call of old: one a message, without an id; what else it says is under this name in its part's `extra`."""
_REASONING: Final = ("reasoning_content", "reasoning", "reasoning_details")
_CALLS: Final = ("tool_calls", "tool_call_id", FUNCTION_CALL)
_MESSAGE: Final = frozenset(("role", "content", "name", "refusal", *_CALLS, *_REASONING))
_PART: Final = frozenset(("type", "text", "refusal", "image_url", "input_audio", "file"))


def read_messages(value: Any) -> list[Message]:
    """The elements of `messages`; raises `InvalidRequest` naming the field."""
    called: list[str] = []
    return [_read_message(one, f"messages[{i}]", called) for i, one in enumerate(listed(value, "messages"))]


def _read_message(value: Any, where: str, called: list[str]) -> Message:
    """One turn; `called` are the names of the calls of old before it."""
    given = objected(value, where)
    said = text(given.get("role"), f"{where}.role")
    role = _ROLES.get(said, "user")
    parts = _read_content(given.get("content"), f"{where}.content")
    name, extra = optional_text(given.get("name"), f"{where}.name"), dict(nothing_else(given, _MESSAGE))
    if role == "tool":
        id = optional_text(given.get("tool_call_id"), f"{where}.tool_call_id") or ""
        if said == "function" and name in called and not id:
            id = next(_old_id(i) for i in reversed(range(len(called))) if called[i] == name)
            extra["name"], name = name, None  # it says whose result this is, as the id does now
        answered = tuple(part for part in parts if isinstance(part, TextPart | MediaPart | OpaquePart))
        parts = [ToolResultPart(id=id, parts=answered)]
    elif role == "assistant":
        parts = [*_read_reasoning(given, where), *parts, *_read_refusal(given, where), *_read_calls(given, where)]
        if given.get(FUNCTION_CALL) is not None:
            call = _read_old_call(given[FUNCTION_CALL], f"{where}.{FUNCTION_CALL}", _old_id(len(called)))
            parts.append(call)
            called.append(call.name)
    if said not in ("user", "assistant", "tool", "system"):
        extra["role"] = said
    return Message(role=role, parts=tuple(parts), name=name, extra=extra)


def _read_content(value: Any, where: str) -> list[Part]:
    if value is None:
        return []
    if isinstance(value, str):
        return [TextPart(text=value)] if value else []
    return [_read_part(part, f"{where}[{i}]") for i, part in enumerate(listed(value, where))]


def _read_part(value: Any, where: str) -> Part:
    given = objected(value, where)
    kind, extra = given.get("type"), nothing_else(given, _PART)
    if kind == "text":
        return TextPart(text=text(given.get("text"), f"{where}.text"), extra=extra)
    if kind == "refusal":
        return TextPart(text=text(given.get("refusal"), f"{where}.refusal"), refusal=True, extra=extra)
    if kind == "image_url":
        image = objected(given.get("image_url"), f"{where}.image_url")
        url = text(image.get("url"), f"{where}.image_url.url")
        said = {**nothing_else(image, frozenset({"url"})), **extra}
        media_type, data = split_data_url(url)
        return MediaPart(kind="image", media_type=media_type, data=data, url=None if data else url, extra=said)
    if kind == "input_audio":
        audio = objected(given.get("input_audio"), f"{where}.input_audio")
        form = text(audio.get("format"), f"{where}.input_audio.format")
        data = text(audio.get("data"), f"{where}.input_audio.data")
        return MediaPart(kind="audio", media_type=f"audio/{form}", data=data, extra=extra)
    if kind == "file":
        file = objected(given.get("file"), f"{where}.file")
        data = optional_text(file.get("file_data"), f"{where}.file.file_data")
        media_type, split = split_data_url(data or "")
        return MediaPart(
            kind="file",
            media_type=media_type,
            data=split or data,
            id=optional_text(file.get("file_id"), f"{where}.file.file_id"),
            name=optional_text(file.get("filename"), f"{where}.file.filename"),
            extra=extra,
        )
    return OpaquePart(dialect="chat", value=given)


def split_data_url(url: str) -> tuple[str | None, str | None]:
    """Media type and base64 of a `data:` URL (RFC 2397); None twice for any other."""
    if url[:5].lower() != "data:":
        return None, None
    head, comma, data = url[5:].partition(",")
    if not comma or not head.endswith(";base64"):
        return None, None
    return head.removesuffix(";base64").partition(";")[0] or "text/plain", data


def _read_reasoning(given: dict[str, Any], where: str) -> list[Part]:
    details = listed(given.get("reasoning_details"), f"{where}.reasoning_details")
    if details:
        given_ones = [objected(detail, f"{where}.reasoning_details[{i}]") for i, detail in enumerate(details)]
        return [
            part
            for theirs, run in groupby(given_ones, key=lambda detail: is_foreign(detail.get("format")))
            for part in (map(_read_detail, run) if theirs else [_read_own(list(run))])
        ]
    said = given.get("reasoning_content") or given.get("reasoning")
    return [ReasoningPart(text=said)] if isinstance(said, str) and said else []


def _read_own(details: list[dict[str, Any]]) -> Part:
    """What a chat upstream thought is one thinking, and goes back to it as it came."""
    thoughts = Details()
    text = thoughts.add(details)
    return ReasoningPart(text=text, signature=thoughts.proof(), maker="chat")


def _read_detail(detail: dict[str, Any]) -> Part:
    kind, maker = detail.get("type"), detail.get("format")
    said = {name: v for name in ("text", "summary", "signature", "data") if isinstance(v := detail.get(name), str)}
    maker = maker if isinstance(maker, str) else None
    if kind == "reasoning.encrypted" and "data" in said:
        return ReasoningPart(redacted=said["data"], maker=maker)
    if kind in ("reasoning.text", "reasoning.summary"):
        words = said.get("text") or said.get("summary") or ""
        return ReasoningPart(text=words, signature=said.get("signature"), maker=maker)
    return OpaquePart(dialect="chat.reasoning", value=detail)


def _read_refusal(given: dict[str, Any], where: str) -> list[Part]:
    refusal = optional_text(given.get("refusal"), f"{where}.refusal")
    return [TextPart(text=refusal, refusal=True)] if refusal else []


def _read_calls(given: dict[str, Any], where: str) -> list[Part]:
    calls = listed(given.get("tool_calls"), f"{where}.tool_calls")
    return [_read_call(call, f"{where}.tool_calls[{i}]") for i, call in enumerate(calls)]


def _read_call(value: Any, where: str) -> Part:
    given = objected(value, where)
    kind = given.get("type", "function")
    if kind not in ("function", "custom"):
        return OpaquePart(dialect="chat.tool_calls", value=given)
    said = objected(given.get(kind), f"{where}.{kind}")
    words = "arguments" if kind == "function" else "input"
    extra = dict(nothing_else(given, frozenset(("id", "type", kind, "index"))))
    return ToolCallPart(
        id=text(given.get("id"), f"{where}.id"),
        name=text(said.get("name"), f"{where}.{kind}.name"),
        arguments=optional_text(said.get(words), f"{where}.{kind}.{words}") or "",
        kind=kind,
        signature=signature_of(given),
        extra=extra,
    )


def _read_old_call(value: Any, where: str, id: str) -> ToolCallPart:
    given = objected(value, where)
    return ToolCallPart(
        id=id,
        name=text(given.get("name"), f"{where}.name"),
        arguments=optional_text(given.get("arguments"), f"{where}.arguments") or "",
        extra={FUNCTION_CALL: nothing_else(given, frozenset(("name", "arguments")))},
    )


def _old_id(place: int) -> str:
    return f"{FUNCTION_CALL}_{place + 1}"
