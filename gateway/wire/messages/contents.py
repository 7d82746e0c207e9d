"""Blocks, usage and stop reasons as messages say them: what a stream and a whole answer share."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from gateway.events import Citation, Finish, FinishReason, Usage
from gateway.prompt import Part, ReasoningPart, TextPart, ToolCallPart
from gateway.wire.json import arguments_object
from gateway.wire.marks import marked

Json = dict[str, Any]
_WORDS: Final[Mapping[FinishReason, str]] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
    "refusal": "refusal",
    "pause": "pause_turn",
    "error": "end_turn",
    "other": "end_turn",
}


def tokens(usage: Usage | None, *, own: bool) -> Mapping[str, Any]:
    """Usage as messages count it; what nobody reported is 0 where a number must stand, else left out."""
    if usage is None:
        return {"input_tokens": 0, "output_tokens": 0}
    if own and isinstance(usage.native, dict):
        return {"input_tokens": 0, "output_tokens": 0, **usage.native}
    cached = {
        "cache_creation_input_tokens": usage.cache_write,
        "cache_read_input_tokens": usage.cache_read,
    }
    fresh = (usage.input or 0) - (usage.cache_read or 0) - (usage.cache_write or 0)
    said: Json = {"input_tokens": max(0, fresh), **{name: count for name, count in cached.items() if count is not None}}
    said["output_tokens"] = usage.output or 0
    if usage.reasoning is not None:
        said["output_tokens_details"] = {"thinking_tokens": usage.reasoning}
    return said


def stop(finish: Finish | None, *, own: bool, refused: bool, called: bool) -> Json:
    """How it stopped. Some upstreams call a tool, or decline, and say that they just stopped."""
    if finish is None:
        return {"stop_reason": "end_turn", "stop_sequence": None}
    sequence = finish.stop_sequence
    if own and finish.native:
        word = finish.native
    elif finish.reason == "stop":
        word = "refusal" if refused else "tool_use" if called else "stop_sequence" if sequence else "end_turn"
    else:
        word = _WORDS[finish.reason]
    return {"stop_reason": word, "stop_sequence": sequence}


def cited(citation: Citation) -> Mapping[str, Any] | None:
    """A citation's shape here: its own, or that of a page found in the web; None where there is no place for it."""
    native = citation.native
    if isinstance(native, dict) and "cited_text" in native:
        return native
    if citation.url is None:
        return None
    return {
        "type": "web_search_result_location",
        "url": citation.url,
        "title": citation.title,
        "cited_text": citation.quote or "",
        "encrypted_index": "",
    }


def blocks(part: Part, citations: Sequence[Citation], maker: str) -> Iterator[Json]:
    """A whole part of an answer as blocks: the signature of a call is that of thinking without words before it."""
    if isinstance(part, ToolCallPart) and part.signature is not None:
        yield {"type": "thinking", "thinking": "", "signature": marked(part.signature, maker, "messages")}
    if (said := block(part, citations, maker)) is not None:
        yield said


def block(part: Part, citations: Sequence[Citation], maker: str) -> Json | None:
    """A whole part of an answer as a block."""
    if isinstance(part, TextPart):
        said: Json = {"type": "text", "text": part.text, "citations": None}
        if shapes := [shape for c in citations if (shape := cited(c)) is not None]:
            said["citations"] = shapes
        return said
    if isinstance(part, ReasoningPart):
        if part.redacted is not None:
            return {"type": "redacted_thinking", "data": marked(part.redacted, maker, "messages")}
        return {"type": "thinking", "thinking": part.text, "signature": marked(part.signature, maker, "messages")}
    if isinstance(part, ToolCallPart):
        return {"type": "tool_use", "id": part.id, "name": part.name, "input": arguments_object(part.arguments)}
    return None
