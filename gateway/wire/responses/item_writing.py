"""Turns of a prompt as the input of a responses request."""

from collections.abc import Iterator, Mapping, Sequence
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
from gateway.wire.responses.contents import Json, proof
from gateway.wire.responses.item_reading import ITEM
from gateway.wire.responses.items import BREAK

_KNOWN: Final = frozenset({"detail"})
"""What another dialect's parts say besides, and responses upstreams know."""


class ItemWriter:
    """Writes turns as items; `lost` names what has no place there.

    `own` says that the prompt was read from a responses request: what its parts say besides is this dialect's then.
    """

    __slots__ = ("_custom", "_own", "lost")

    def __init__(self, *, own: bool) -> None:
        self._own = own
        self._custom: set[str] = set()
        """The calls of tools that take free text: their results are told apart."""
        self.lost: list[str] = []

    def instructions(self, parts: Sequence[TextPart | OpaquePart]) -> str | None:
        """The instructions; None where there are none."""
        texts = [part.text for part in parts if isinstance(part, TextPart)]
        if len(texts) < len(parts):
            self.lost.append("system")
        return BREAK.join(texts) or None

    def items(self, message: Message) -> Iterator[Json]:
        """One turn: its texts and media together, and an item for everything else, in order."""
        if message.name is not None:
            self.lost.append("name")
        role = message.extra.get("role", message.role) if message.role == "system" else message.role
        role = "user" if role == "tool" else role
        held: list[Part] = []
        for part in message.parts:
            if isinstance(part, TextPart | MediaPart):
                if isinstance(part, TextPart) and ITEM in part.extra and held:
                    yield from self._message(role, held, message.extra)
                    held = []
                held.append(part)
                continue
            item = self._item(part)
            if item is None:
                continue
            yield from self._message(role, held, message.extra)
            held = []
            yield item
        yield from self._message(role, held, message.extra)

    def _message(self, role: str, parts: Sequence[Part], extra: Mapping[str, Any]) -> Iterator[Json]:
        contents = [said for part in parts if (said := self._content(part, role)) is not None]
        if not contents:
            return
        first = parts[0]
        besides = first.extra.get(ITEM, extra) if isinstance(first, TextPart) else extra
        more = {name: value for name, value in besides.items() if name != "role"} if self._own else {}
        content: Any = contents
        if len(contents) == 1 and contents[0].keys() == {"type", "text"} and not more:
            content = contents[0]["text"]
        yield {"role": role, "content": content, **more}

    def _content(self, part: Part, role: str) -> Json | None:
        if isinstance(part, TextPart):
            if not part.text and not self._own:
                return None
            kind = "refusal" if part.refusal else "output_text" if role == "assistant" else "input_text"
            said: Json = {"type": kind, "refusal" if part.refusal else "text": part.text}
        elif isinstance(part, MediaPart):
            media = _media(part, own=self._own)
            if media is None:
                self.lost.append(part.kind)
                return None
            said = media
        elif isinstance(part, OpaquePart) and part.dialect == "responses":
            return dict(part.value)
        else:
            self.lost.append("messages")
            return None
        extra = part.extra
        return {**said, **{n: v for n, v in extra.items() if n != ITEM and (self._own or n in _KNOWN)}}

    def _item(self, part: Part) -> Json | None:
        if isinstance(part, ReasoningPart):
            return self._thinking(part)
        if isinstance(part, ToolCallPart):
            words = "arguments" if part.kind == "function" else "input"
            kind = "function_call" if part.kind == "function" else "custom_tool_call"
            if part.kind == "custom":
                self._custom.add(part.id)
            call = {"type": kind, "call_id": part.id, "name": part.name, words: part.arguments}
            return {**call, **(part.extra if self._own else {})}
        if isinstance(part, ToolResultPart):
            if part.is_error:
                self.lost.append("is_error")
            kind = "custom_tool_call_output" if part.id in self._custom else "function_call_output"
            contents = [c for p in part.parts if (c := self._content(p, "tool")) is not None]
            plain = all(content.keys() == {"type", "text"} for content in contents)
            output = "\n".join(content["text"] for content in contents) if plain else contents
            return {"type": kind, "call_id": part.id, "output": output, **(part.extra if self._own else {})}
        if isinstance(part, OpaquePart) and part.dialect == "responses":
            return dict(part.value)
        self.lost.append("messages")
        return None

    def _thinking(self, part: ReasoningPart) -> Json | None:
        """Only what this maker has signed: anything else is refused."""
        if not self._own and (part.maker != "responses" or (part.signature or part.redacted) is None):
            return None
        said: Json = {"type": "reasoning", **(part.extra if self._own else {})}
        if _words(said) != part.text or "summary" not in said:
            said.pop("content", None)
            said["summary"] = [{"type": "summary_text", "text": part.text}] if part.text else []
        if part.signature is not None or part.redacted is not None or part.maker not in (None, "responses"):
            said["encrypted_content"] = proof(part.signature, part.redacted, part.maker or "responses")
        return said


def _words(said: Json) -> str:
    parts = said.get("summary") or said.get("content") or ()
    return BREAK.join(part["text"] for part in parts if isinstance(part, dict) and "text" in part)


def _media(part: MediaPart, *, own: bool) -> Json | None:
    """The id of an upload is only valid at its maker."""
    if part.kind == "audio":
        if part.data is None:
            return None
        form = (part.media_type or "audio/wav").partition("/")[2]
        return {"type": "input_audio", "input_audio": {"data": part.data, "format": form}}
    named = {"file_id": part.id, "filename": part.name if part.kind == "file" else None}
    said = {name: value for name, value in named.items() if value is not None and (own or name != "file_id")}
    url = part.url
    if part.data is not None:
        bare = part.kind == "file" and part.media_type is None
        url = part.data if bare else f"data:{part.media_type or 'application/octet-stream'};base64,{part.data}"
    if part.kind == "image":
        said |= {"image_url": url} if url is not None else {}
    elif url is not None:
        said["file_data" if part.data is not None else "file_url"] = url
    if not said.keys() - {"filename"}:
        return None
    return {"type": f"input_{part.kind}", **said}
