"""The output of a whole response: of the parts of an answer, or an upstream's with what plugins made of it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar

from gateway.events import Citation
from gateway.prompt import Part, ReasoningPart, TextPart, ToolCallPart
from gateway.wire.responses.contents import Json, proof
from gateway.wire.responses.items import BREAK, READ, OpenItem
from gateway.wire.responses.output import Content, Item

Places: TypeAlias = Callable[[int, Mapping[str, Any]], OpenItem | None]
"""Tells the item that was read where the output has this one, and with it which parts are whose."""
_P = TypeVar("_P", bound=Part)


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


def patched_output(output: Sequence[Any], parts: Mapping[int, Part], places: Places) -> list[Any]:
    """An upstream's items, the parts of the answer in their places; new parts come behind them.

    An item keeps what it says besides, and one that nothing has changed, or that has no words, is as it was.
    """
    out, left = [], dict(parts)
    for index, given in enumerate(output):
        kind = given.get("type") if isinstance(given, dict) else None
        if kind not in READ:
            out.append(given)
            continue
        item = places(index, given)
        if item is None:  # nobody knows which words were its own: they come behind
            continue
        if kind == "message":
            out.append({**given, "content": _patched_contents(given.get("content"), left, item)})
        elif kind == "reasoning":
            silent = ReasoningPart(text="")
            if (thought := _taken(left, item, 0, silent)) is not None:
                out.append(_patched_thinking(given, thought))
        elif (call := _taken(left, item, 0, ToolCallPart(id="", name="", arguments=""))) is not None:
            words = "arguments" if kind == "function_call" else "input"
            out.append({**given, "name": call.name, words: call.arguments})
    return [*out, *whole_output(left, (), (), maker="responses", suffix="new")]


def _taken(left: dict[int, Part], item: OpenItem, content: int, silent: _P) -> _P | None:
    """The part of a content; `silent` where nothing was said of it, None where it was taken out."""
    number = item.parts.get(content)
    if number is None or number not in item.told:
        return silent
    part = left.get(number)
    if not isinstance(part, type(silent)):
        return None
    del left[number]
    return part


def _patched_contents(contents: Any, left: dict[int, Part], item: OpenItem) -> list[Any]:
    said = []
    for index, content in enumerate(contents if isinstance(contents, list) else ()):
        refusal = isinstance(content, dict) and isinstance(content.get("refusal"), str)
        part = _taken(left, item, index, TextPart(text="", refusal=refusal))
        if part is not None:
            said.append(_patched_text(content, part))
    return said


def _patched_text(content: Any, part: TextPart) -> Any:
    kind, other = ("refusal", "text") if part.refusal else ("text", "refusal")
    if not isinstance(content, dict) or (content.get(kind) or "") == part.text:
        return content
    if isinstance(content.get(other), str):
        return _text(part, ()).value()
    said = {**content, kind: part.text}
    return said | {"annotations": [], "logprobs": []} if kind == "text" else said


def _patched_thinking(given: Json, part: ReasoningPart) -> Json:
    """Changed thinking is told once: what a summary is of may hold what was taken out of it."""
    name, kind = ("summary", "summary_text") if given.get("summary") else ("content", "reasoning_text")
    said = given.get(name)
    texts = [p.get("text") or "" for p in said if isinstance(p, dict)] if isinstance(said, list) else []
    if BREAK.join(texts) == part.text:
        return given
    kept = given if name == "content" else {key: value for key, value in given.items() if key != "content"}
    return {**kept, name: [{"type": kind, "text": part.text}] if part.text else []}


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
