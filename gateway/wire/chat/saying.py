"""How chat says the pieces of an answer; shared by its chunks and its whole completions."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from gateway.events import Citation, Event, Reasoning, Refusal, Text, ToolCall, Usage
from gateway.prompt import ReasoningPart, ToolCallPart
from gateway.wire.chat.details import details_of, text_of
from gateway.wire.chat.proofs import signed

_Json = dict[str, Any]
_IdOf = Callable[[Any], str | None]
_TEXTS: Final[tuple[tuple[tuple[str, ...], type[Text | Reasoning | Refusal]], ...]] = (
    (("content",), Text),
    (("reasoning_content", "reasoning"), Reasoning),
    (("refusal",), Refusal),
)
SAID: Final = frozenset(
    ("tool_calls", "function_call", "reasoning_content", "reasoning", "reasoning_details", "annotations")
)
"""Fields of a message that say what its events do, beside the ones always there."""


def patched(delta: _Json, events: Sequence[Event], id_of: _IdOf) -> _Json:
    """A delta that says these events; texts that nothing says any more are empty.

    `id_of` tells the id of the call that has an index: a delta that goes on with it does not say it.
    """
    out = dict(delta)
    for names, kind in _TEXTS:
        said = "".join(event.text for event in events if isinstance(event, kind))
        fields = [name for name in names if delta.get(name)] or names[: bool(said)]
        out |= dict.fromkeys(fields, said)
    thinking = text_of(delta.get("reasoning_details"))
    if thinking and thinking != "".join(event.text for event in events if isinstance(event, Reasoning)):
        del out["reasoning_details"]  # they would still say what was changed
    fragments = [event for event in events if isinstance(event, ToolCall)]
    if isinstance(old := delta.get("function_call"), dict):
        del out["function_call"]
        if without_id := [event for event in fragments if event.id is None]:
            out["function_call"] = _said_in(old, *without_id)
        fragments = [event for event in fragments if event.id is not None]
    if isinstance(calls := delta.get("tool_calls"), list):
        given = [call for call in calls if isinstance(call, dict)]
        out["tool_calls"] = _patched_calls(given, fragments, id_of)
    return out


def _patched_calls(calls: Sequence[_Json], fragments: Sequence[ToolCall], id_of: _IdOf) -> list[_Json]:
    """The calls that something is said of still, each with its own: told by its id, or that of its index."""
    said: dict[str | None, list[ToolCall]] = {}
    for fragment in fragments:
        said.setdefault(fragment.id, []).append(fragment)
    own: dict[int, list[ToolCall]] = {}
    # Where more than one call has an index, its id is that of the last.
    for at in sorted(range(len(calls)), key=lambda at: (not calls[at].get("id"), -at)):
        sent = calls[at].get("id")
        id = sent if sent and isinstance(sent, str) else id_of(calls[at].get("index"))
        if id in said:
            own[at] = said.pop(id)
    own |= zip((at for at in range(len(calls)) if at not in own), said.values(), strict=False)
    return [{**calls[at], own[at][0].kind: _said_in(calls[at].get(own[at][0].kind), *own[at])} for at in sorted(own)]


def _said_in(given: Any, *fragments: ToolCall) -> _Json:
    words = "arguments" if fragments[0].kind == "function" else "input"
    names = [fragment.name for fragment in fragments if fragment.name is not None]
    named: _Json = {"name": names[-1]} if names else {}
    return {
        **(given if isinstance(given, dict) else {}),
        words: "".join(fragment.arguments for fragment in fragments),
        **named,
    }


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
