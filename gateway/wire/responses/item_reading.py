"""The input of a responses request as turns of a prompt."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple

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
from gateway.wire.marks import unmarked
from gateway.wire.reading import listed, nothing_else, objected, optional_text, text
from gateway.wire.responses.contents import is_redacted
from gateway.wire.responses.items import BREAK

_ROLES: Final[Mapping[str, Role]] = {
    "user": "user",
    "assistant": "assistant",
    "system": "system",
    "developer": "system",
}
_MESSAGE: Final = frozenset(("role", "content"))
_CALLS: Final[Mapping[str, tuple[Literal["function", "custom"], str]]] = {
    "function_call": ("function", "arguments"),
    "custom_tool_call": ("custom", "input"),
}


class Turn(NamedTuple):
    """A message of a prompt, and how many items of the input it is made of."""

    message: Message
    items: int


def read_input(value: Any) -> list[Turn]:
    """The conversation; what an assistant said, thought and called in a row is one turn. Raises `InvalidRequest`."""
    if isinstance(value, str):
        return [Turn(Message(role="user", parts=(TextPart(text=value),)), 1)]
    turns: list[Turn] = []
    for index, item in enumerate(listed(value, "input")):
        message = _read_item(item, f"input[{index}]")
        last = turns[-1] if turns else None
        if last is not None and message.role == last.message.role == "assistant":
            before = last.message
            whole = Message(role="assistant", parts=(*before.parts, *message.parts))
            turns[-1] = Turn(whole, last.items + 1)
        else:
            turns.append(Turn(message, 1))
    return turns


def instructions(turns: Sequence[Turn]) -> int:
    """How many turns at the start are instructions in nothing but text."""
    for count, (message, _) in enumerate(turns):
        if message.role != "system" or not all(isinstance(part, TextPart) for part in message.parts):
            return count
    return len(turns)


def _read_item(value: Any, where: str) -> Message:
    given = objected(value, where)
    kind = given.get("type")
    if kind == "message" or (kind is None and "role" in given):
        said = text(given.get("role"), f"{where}.role")
        extra = dict(nothing_else(given, _MESSAGE))
        if said == "developer":
            extra["role"] = said
        parts = read_content(given.get("content"), f"{where}.content")
        role = _ROLES.get(said, "user")
        if role == "assistant":  # several items become one turn: what each says besides lies in its first part
            parts = [_with_item(parts[0], extra), *parts[1:]] if parts else []
            extra = {}
        return Message(role=role, parts=tuple(parts), extra=extra)
    if isinstance(kind, str) and kind in _CALLS:
        return Message(role="assistant", parts=(_read_call(kind, given, where),))
    if kind == "reasoning":
        return Message(role="assistant", parts=(_read_reasoning(given, where),))
    if kind in ("function_call_output", "custom_tool_call_output"):
        return Message(role="tool", parts=(_read_result(given, where),))
    return Message(role="assistant", parts=(OpaquePart(dialect="responses", value=given),))


def read_content(value: Any, where: str) -> list[Part]:
    """A text or an array of contents."""
    if value is None:
        return []
    if isinstance(value, str):
        return [TextPart(text=value)] if value else []
    return [_read_content(content, f"{where}[{i}]") for i, content in enumerate(listed(value, where))]


def _read_content(value: Any, where: str) -> Part:
    given = objected(value, where)
    kind = given.get("type")
    if kind in ("input_text", "output_text", "text", "summary_text"):
        return TextPart(text=text(given.get("text"), f"{where}.text"), extra=nothing_else(given, frozenset({"text"})))
    if kind == "refusal":
        said = text(given.get("refusal"), f"{where}.refusal")
        return TextPart(text=said, refusal=True, extra=nothing_else(given, frozenset({"refusal"})))
    if kind == "input_image":
        url = optional_text(given.get("image_url"), f"{where}.image_url")
        return _media("image", url, given, where, "image_url")
    if kind == "input_file":
        data = optional_text(given.get("file_data"), f"{where}.file_data")
        url = optional_text(given.get("file_url"), f"{where}.file_url")
        if data is not None and not data.startswith("data:"):
            return _media("file", url, given, where, "file_data", "file_url", data=data)
        return _media("file", data or url, given, where, "file_data", "file_url")
    if kind == "input_audio":
        audio = objected(given.get("input_audio"), f"{where}.input_audio")
        form = text(audio.get("format"), f"{where}.input_audio.format")
        sound = text(audio.get("data"), f"{where}.input_audio.data")
        return MediaPart(kind="audio", media_type=f"audio/{form}", data=sound)
    return OpaquePart(dialect="responses", value=given)


def _media(
    kind: Literal["image", "file"], url: str | None, given: dict[str, Any], where: str, *said: str, data: str = ""
) -> MediaPart:
    media_type, held = _split(url or "")
    return MediaPart(
        kind=kind,
        media_type=media_type,
        data=held or data or None,
        url=None if held else url,
        id=optional_text(given.get("file_id"), f"{where}.file_id"),
        name=optional_text(given.get("filename"), f"{where}.filename"),
        extra=nothing_else(given, frozenset(("type", "file_id", "filename", *said))),
    )


def _split(url: str) -> tuple[str | None, str | None]:
    """Media type and base64 of a `data:` URL; None twice for any other."""
    head, comma, data = url.partition(",")
    if head[:5].lower() != "data:" or not comma or not head.endswith(";base64"):
        return None, None
    return head[5:].removesuffix(";base64").partition(";")[0] or "text/plain", data


def _read_call(kind: str, given: dict[str, Any], where: str) -> ToolCallPart:
    said, words = _CALLS[kind]
    return ToolCallPart(
        id=text(given.get("call_id"), f"{where}.call_id"),
        name=text(given.get("name"), f"{where}.name"),
        arguments=optional_text(given.get(words), f"{where}.{words}") or "",
        kind=said,
        extra=nothing_else(given, frozenset(("type", "call_id", "name", words))),
    )


def _read_result(given: dict[str, Any], where: str) -> ToolResultPart:
    parts = read_content(given.get("output"), f"{where}.output")
    return ToolResultPart(
        id=optional_text(given.get("call_id"), f"{where}.call_id") or "",
        parts=tuple(part for part in parts if isinstance(part, TextPart | MediaPart | OpaquePart)),
        extra=nothing_else(given, frozenset(("call_id", "output"))),
    )


def _read_reasoning(given: dict[str, Any], where: str) -> ReasoningPart:
    said = optional_text(given.get("encrypted_content"), f"{where}.encrypted_content")
    proof, maker = unmarked(said or "", "responses")
    summary, content = (listed(given.get(name), f"{where}.{name}") for name in ("summary", "content"))
    words = BREAK.join(part["text"] for part in summary or content if isinstance(part, dict) and "text" in part)
    redacted = proof is not None and not words
    if proof is not None and maker != "responses":
        proof, redacted = is_redacted(proof)
    return ReasoningPart(
        text=words,
        signature=None if redacted else proof,
        redacted=proof if redacted else None,
        maker=maker,
        extra=nothing_else(given, frozenset(("type", "encrypted_content"))),
    )


def _with_item(part: Part, extra: Mapping[str, Any]) -> Part:
    if not isinstance(part, TextPart):
        return part
    return TextPart(text=part.text, refusal=part.refusal, extra={**part.extra, ITEM: extra})


ITEM: Final = "item"
"""The name under which the first text of an assistant's message keeps what its item says besides."""
