"""Turns of a prompt as the messages of a chat request."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
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
from gateway.wire.chat.details import call_proof, details_of
from gateway.wire.chat.message_reading import FUNCTION_CALL

_Json = dict[str, Any]
_KNOWN: Final = frozenset(("cache_control", "detail"))
"""What another dialect's parts say besides, and chat upstreams know."""


class MessageWriter:
    """Writes turns as chat's messages; `lost` names what has no place there.

    `own` says that the prompt was read from a chat request: what its parts say besides is chat's then.
    """

    __slots__ = ("_own", "lost")

    def __init__(self, *, own: bool) -> None:
        self._own = own
        self.lost: list[str] = []

    def system(self, parts: Sequence[TextPart | OpaquePart], role: str) -> Iterator[_Json]:
        """The instructions as one message; none where there are none."""
        texts = [part for part in parts if isinstance(part, TextPart)]
        if len(texts) < len(parts):
            self.lost.append("system")
        if texts:
            yield {"role": role, "content": self._content(texts)}

    def message(self, message: Message) -> Iterator[_Json]:
        """One turn as messages: chat has one for every tool result."""
        results = [part for part in message.parts if isinstance(part, ToolResultPart)]
        for result in results:
            yield self._result(result, message)
        rest = [part for part in message.parts if not isinstance(part, ToolResultPart)]
        if results and not rest:
            return
        out: _Json = {"role": message.extra.get("role", message.role)}
        said = [part for part in rest if isinstance(part, TextPart | MediaPart) or _is_own(part, "chat")]
        old = [part for part in rest if self._own and isinstance(part, ToolCallPart) and FUNCTION_CALL in part.extra]
        calls = list(_calls([part for part in rest if part not in old], own=self._own))
        out["content"] = self._content(said) if said or message.role != "assistant" else None
        if calls:
            out["tool_calls"] = calls
        for part in old:
            out[FUNCTION_CALL] = {"name": part.name, "arguments": part.arguments, **part.extra[FUNCTION_CALL]}
        out |= _reasoning([part for part in rest if isinstance(part, ReasoningPart) or _is_own(part, "chat.reasoning")])
        if any(isinstance(part, OpaquePart) and not part.dialect.startswith("chat") for part in rest):
            self.lost.append("messages")
        if message.name is not None:
            out["name"] = message.name
        extra = message.extra if self._own else {}
        yield {**out, **{name: value for name, value in extra.items() if name != "role"}}

    def _result(self, result: ToolResultPart, message: Message) -> _Json:
        if result.is_error:
            self.lost.append("is_error")
        said: _Json = {"role": "tool", "tool_call_id": result.id, "content": self._content(result.parts)}
        if not self._own:
            return said
        if message.extra.get("role") == "function":  # the tools of old have a name and no ids
            del said["tool_call_id"]
        return {**said, **({} if message.name is None else {"name": message.name}), **message.extra}

    def _content(self, parts: Iterable[Part]) -> str | list[_Json]:
        written = [said for part in parts if (said := self._part(part)) is not None]
        if len(written) == 1 and written[0].keys() == {"type", "text"}:
            return str(written[0]["text"])
        return written or ""

    def _part(self, part: Part) -> _Json | None:
        if isinstance(part, TextPart):
            kind = "refusal" if part.refusal else "text"
            return {"type": kind, kind: part.text, **self._extra(part.extra)}
        if isinstance(part, MediaPart):
            said = _media(part, self._extra(part.extra))
            if said is None:
                self.lost.append(part.kind)
            return said
        if isinstance(part, OpaquePart) and part.dialect == "chat":
            return dict(part.value)
        self.lost.append("messages")
        return None

    def _extra(self, extra: Mapping[str, Any]) -> _Json:
        return {name: value for name, value in extra.items() if self._own or name in _KNOWN}


def _media(part: MediaPart, extra: _Json) -> _Json | None:
    if part.kind == "audio" and part.data is not None:
        form = (part.media_type or "audio/wav").partition("/")[2]
        return {"type": "input_audio", "input_audio": {"data": part.data, "format": form}, **extra}
    url = part.url if part.data is None else f"data:{part.media_type or 'application/octet-stream'};base64,{part.data}"
    if part.kind == "image" and url is not None:
        detail = {"detail": extra.pop("detail")} if "detail" in extra else {}
        return {"type": "image_url", "image_url": {"url": url, **detail}, **extra}
    if part.kind == "file" and (part.data is not None or part.id is not None):
        data = url if part.media_type is not None else part.data
        file = {"file_id": part.id, "filename": part.name, "file_data": data}
        return {"type": "file", "file": {name: value for name, value in file.items() if value is not None}, **extra}
    return None


def _calls(parts: Iterable[Part], *, own: bool) -> Iterator[_Json]:
    proof = None
    for part in parts:
        if isinstance(part, ReasoningPart):
            proof = call_proof(part)
        elif isinstance(part, ToolCallPart):
            yield _call(part, part.signature or proof, own=own)
            proof = None
        elif isinstance(part, OpaquePart) and part.dialect == "chat.tool_calls":
            yield dict(part.value)


def _call(part: ToolCallPart, signature: str | None, *, own: bool) -> _Json:
    words = "arguments" if part.kind == "function" else "input"
    out: _Json = {"id": part.id, "type": part.kind, part.kind: {"name": part.name, words: part.arguments}}
    if signature is not None:
        out["extra_content"] = {"google": {"thought_signature": signature}}
    return {**out, **{name: value for name, value in part.extra.items() if own or name == "extra_content"}}


def _reasoning(parts: Sequence[Part]) -> _Json:
    """Thinking without a proof is plain text; with one it goes back in the details it came in."""
    text = "".join(part.text for part in parts if isinstance(part, ReasoningPart))
    written = [_details(part) for part in parts]
    said: _Json = {"reasoning_content": text} if text else {}
    if not any(written):
        return said
    plain = [
        [{"type": "reasoning.text", "text": part.text}] if isinstance(part, ReasoningPart) and part.text else []
        for part in parts
    ]
    return {**said, "reasoning_details": [one for own, bare in zip(written, plain, strict=True) for one in own or bare]}


def _details(part: Part) -> list[_Json]:
    """What has a proof; empty for thinking without one."""
    if isinstance(part, OpaquePart):
        return [dict(part.value)]
    assert isinstance(part, ReasoningPart)
    if part.maker == "chat":
        return details_of(part)
    if part.redacted is not None:
        return [_detail("reasoning.encrypted", data=part.redacted, format=part.maker)]
    if part.signature is None:
        return []
    return [_detail("reasoning.text", text=part.text, signature=part.signature, format=part.maker)]


def _detail(type: str, **said: str | None) -> _Json:
    return {"type": type, **{name: value for name, value in said.items() if value is not None}}


def _is_own(part: Part, dialect: str) -> bool:
    return isinstance(part, OpaquePart) and part.dialect == dialect
