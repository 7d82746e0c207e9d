"""How chat says the pieces of an answer; shared by its chunks and its whole completions."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from gateway.events import Citation, Event, Reasoning, Refusal, Text, ToolCall, Usage
from gateway.prompt import ReasoningPart, ToolCallPart
from gateway.wire.chat.details import details_of, text_of
from gateway.wire.chat.proofs import signed

_Json = dict[str, Any]
_TEXTS: Final[tuple[tuple[tuple[str, ...], type[Text | Reasoning | Refusal]], ...]] = (
    (("content",), Text),
    (("reasoning_content", "reasoning"), Reasoning),
    (("refusal",), Refusal),
)
SAID: Final = frozenset(
    ("tool_calls", "function_call", "reasoning_content", "reasoning", "reasoning_details", "annotations")
)
"""Fields of a message that say what its events do, beside the ones always there."""


def patched(delta: _Json, events: Sequence[Event]) -> _Json:
    """A delta that says these events; texts that nothing says any more are empty."""
    out = dict(delta)
    for names, kind in _TEXTS:
        said = "".join(event.text for event in events if isinstance(event, kind))
        given = [name for name in names if delta.get(name)]
        out |= dict.fromkeys(given or names[: bool(said)], said)
    thinking = text_of(delta.get("reasoning_details"))
    if thinking and thinking != "".join(event.text for event in events if isinstance(event, Reasoning)):
        del out["reasoning_details"]  # they would still say what was changed
    fragments = [event for event in events if isinstance(event, ToolCall)]
    if isinstance(old := delta.get("function_call"), dict):
        del out["function_call"]
        said_of_old = next((event for event in fragments if event.id is None), None)
        if said_of_old is not None:
            fragments.remove(said_of_old)
            out["function_call"] = _said_in(old, said_of_old)
    calls = [dict(call) for call in delta.get("tool_calls") or ()]
    for call, fragment in zip(calls, fragments, strict=False):
        call[fragment.kind] = _said_in(call.get(fragment.kind) or {}, fragment)
    if calls:
        out["tool_calls"] = calls[: len(fragments)]
    return out


def _said_in(given: _Json, fragment: ToolCall) -> _Json:
    words = "arguments" if fragment.kind == "function" else "input"
    named: _Json = {} if fragment.name is None else {"name": fragment.name}
    return {**given, words: fragment.arguments, **named}


def as_before(said: _Json, message: _Json) -> _Json:
    """What is said of a message, its call in `function_call` where the message has it there: it alone has no id."""
    old, calls = message.get("function_call"), said.get("tool_calls", [])
    call = next((call["function"] for call in calls if not call["id"] and call["type"] == "function"), None)
    if not isinstance(old, dict) or call is None:
        return said
    rest = [one for one in calls if one.get("function") is not call]
    kept = {name: value for name, value in said.items() if name != "tool_calls"}
    return {**kept, "function_call": {**old, **call}, **({"tool_calls": rest} if rest else {})}


def tokens(usage: Usage) -> Mapping[str, Any]:
    """Usage as chat counts it; what nobody reported is left out."""
    details = {"cached_tokens": usage.cache_read, "cache_write_tokens": usage.cache_write}
    thinking = {"reasoning_tokens": usage.reasoning}
    total = usage.input + usage.output if usage.input is not None and usage.output is not None else None
    said = {"prompt_tokens": usage.input, "completion_tokens": usage.output, "total_tokens": total}
    return {
        **{name: count for name, count in said.items() if count is not None},
        **{
            name: known
            for name, counts in (("prompt_tokens_details", details), ("completion_tokens_details", thinking))
            if (known := {k: v for k, v in counts.items() if v is not None})
        },
    }


def thought(event: Reasoning, maker: str) -> _Json:
    return thoughts([ReasoningPart(text=event.text, signature=event.signature, redacted=event.redacted, maker=maker)])


def thoughts(parts: list[ReasoningPart]) -> _Json:
    text = "".join(part.text for part in parts)
    said: _Json = {"reasoning_content": text} if text else {}
    details = [detail for part in parts for detail in _details(part)]
    return {**said, "reasoning_details": details} if details else said


def _details(part: ReasoningPart) -> list[_Json]:
    if part.maker == "chat":
        return details_of(part)
    if part.redacted is not None:
        return [{"type": "reasoning.encrypted", "data": part.redacted, "format": part.maker}]
    if part.signature is None:
        return []
    return [{"type": "reasoning.text", "text": part.text, "signature": part.signature, "format": part.maker}]


def whole_call(part: ToolCallPart, maker: str) -> _Json:
    words = "arguments" if part.kind == "function" else "input"
    call: _Json = {"id": part.id, "type": part.kind, part.kind: {"name": part.name, words: part.arguments}}
    if part.signature is not None:
        call["extra_content"] = signed(part.signature, maker)
    return call


def annotation(event: Citation) -> _Json:
    said = {"url": event.url, "title": event.title, "start_index": event.start, "end_index": event.end}
    return {"type": "url_citation", "url_citation": {name: value for name, value in said.items() if value is not None}}


def joined_logprobs(logprobs: list[Any] | None) -> Any:
    """The log probabilities of all chunks as one: lists are joined, as the SDKs join them."""
    if not logprobs:
        return None
    joined: _Json = {}
    for said in logprobs:
        for name, value in said.items() if isinstance(said, dict) else ():
            before = joined.get(name)
            joined[name] = [*before, *value] if isinstance(before, list) and isinstance(value, list) else value
    return joined
