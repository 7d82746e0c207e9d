"""The output of a whole response: of the parts of an answer, or an upstream's with what plugins made of it."""

from collections.abc import Mapping, Sequence
from typing import Any

from gateway.events import Citation
from gateway.prompt import Part, ReasoningPart, TextPart, ToolCallPart
from gateway.wire.responses.contents import Json, proof
from gateway.wire.responses.items import BREAK
from gateway.wire.responses.output import Content, Item


def whole_output(
    parts: Mapping[int, Part], citations: Sequence[Citation], logprobs: Sequence[Any], *, maker: str, suffix: str
) -> list[Json]:
    """The parts as items; texts that follow each other are one message."""
    items: list[Item] = []
    waiting = list(logprobs)
    for number, part in parts.items():
        kind = _kind(part)
        if kind is None:
            continue
        if isinstance(part, ToolCallPart) and part.signature is not None:  # that of thinking without words before it
            items.append(Item("reasoning", len(items), suffix, {}))
            items[-1].proof = proof(part.signature, None, maker)
        if kind != "message" or not items or items[-1].kind != "message":
            items.append(Item(kind, len(items), suffix, {}, **_given(part)))
            items[-1].status = "completed"
        item = items[-1]
        if isinstance(part, TextPart):
            content = _text(part, [c for c in citations if c.part == number])
            if not part.refusal and waiting:
                for said in waiting:
                    content.add("", said)
                waiting.clear()
            item.contents.append(content)
        elif isinstance(part, ToolCallPart):
            item.contents.append(_content(kind, part.arguments))
        elif isinstance(part, ReasoningPart):
            if part.text:
                item.contents.append(_content("summary_text", part.text))
            item.proof = proof(part.signature, part.redacted, maker)
    return [item.value() for item in items]


def patched_output(output: Sequence[Any], parts: Mapping[int, Part]) -> list[Any]:
    """An upstream's items, the parts of the answer in their places; new parts come behind them.

    An item keeps what it says besides, and one that nothing has changed is as it was.
    """
    out, left = [], dict(enumerate(parts.values()))
    count = 0
    for given in output:
        kind = given.get("type") if isinstance(given, dict) else None
        if kind == "message":
            said = []
            for content in given.get("content") or ():
                part = left.pop(count, None)
                count += 1
                if isinstance(part, TextPart):
                    said.append(_patched_text(content, part))
            out.append({**given, "content": said})
            continue
        if kind not in ("reasoning", "function_call", "custom_tool_call"):
            out.append(given)
            continue
        part = left.pop(count, None)
        count += 1
        if isinstance(part, ToolCallPart):
            words = "arguments" if kind == "function_call" else "input"
            out.append({**given, "name": part.name, words: part.arguments})
        elif isinstance(part, ReasoningPart):
            out.append(_patched_thinking(given, part))
    return [*out, *whole_output(left, (), (), maker="responses", suffix="new")]


def _patched_text(content: Any, part: TextPart) -> Any:
    kind = "refusal" if part.refusal else "text"
    if not isinstance(content, dict) or content.get(kind) == part.text:
        return content
    said = {**content, kind: part.text}
    return said | {"annotations": [], "logprobs": []} if kind == "text" else said


def _patched_thinking(given: Json, part: ReasoningPart) -> Json:
    name, kind = ("summary", "summary_text") if given.get("summary") else ("content", "reasoning_text")
    said = given.get(name)
    texts = [p.get("text") or "" for p in said if isinstance(p, dict)] if isinstance(said, list) else []
    if BREAK.join(texts) == part.text:
        return given
    return {**given, name: [{"type": kind, "text": part.text}] if part.text else []}


def _kind(part: Part) -> str | None:
    if isinstance(part, TextPart):
        return "message"
    if isinstance(part, ReasoningPart):
        return "reasoning"
    if isinstance(part, ToolCallPart):
        return "function_call" if part.kind == "function" else "custom_tool_call"
    return None


def _given(part: Part) -> Json:
    if isinstance(part, ToolCallPart):
        return {"call_id": part.id, "name": part.name}
    return {}


def _text(part: TextPart, citations: Sequence[Citation]) -> Content:
    content = _content("refusal" if part.refusal else "output_text", part.text)
    for citation in citations:
        content.cite(citation)
    return content


def _content(kind: str, text: str) -> Content:
    content = Content(kind)
    content.add(text)
    return content
