"""Streams as Anthropic's documentation shows them, and what each one says."""

import json
from collections.abc import Iterable
from typing import Any, Final

from gateway.events import Answer, Cause, End, Event, Failure
from gateway.parts import Collected
from gateway.protocols import UpstreamDialect
from gateway.wire.messages import MESSAGES


def event(name: str, **said: Any) -> bytes:
    """One event of a messages stream."""
    return f"event: {name}\ndata: {json.dumps({'type': name, **said}, separators=(',', ':'))}\n\n".encode()


def start(usage: dict[str, Any] | None = None, **more: Any) -> bytes:
    """The event that begins a message."""
    counted = usage or {"input_tokens": 25, "output_tokens": 1}
    message = {"id": "msg_01XFD", "type": "message", "role": "assistant", "model": "claude-opus-4-6", "content": []}
    return event("message_start", message={**message, "stop_reason": None, "stop_sequence": None, "usage": counted})


def block(index: int, kind: dict[str, Any], *deltas: dict[str, Any], stop: bool = True) -> list[bytes]:
    """One block of content."""
    out = [event("content_block_start", index=index, content_block=kind)]
    out += [event("content_block_delta", index=index, delta=delta) for delta in deltas]
    return [*out, *([event("content_block_stop", index=index)] if stop else [])]


def text(index: int, *pieces: str) -> list[bytes]:
    """A block of text."""
    return block(index, {"type": "text", "text": ""}, *({"type": "text_delta", "text": piece} for piece in pieces))


def tool(index: int, id: str, name: str, *pieces: str, **more: Any) -> list[bytes]:
    """A call of a tool; the upstream begins it with an empty piece."""
    deltas = ({"type": "input_json_delta", "partial_json": piece} for piece in ("", *pieces))
    return block(index, {"type": "tool_use", "id": id, "name": name, "input": {}, **more}, *deltas)


def end(reason: str = "end_turn", sequence: str | None = None, **usage: Any) -> list[bytes]:
    """The events that end a message."""
    delta = {"stop_reason": reason, "stop_sequence": sequence}
    return [event("message_delta", delta=delta, usage={"output_tokens": 15, **usage}), event("message_stop")]


PING: Final = event("ping")
CITED: Final = {
    "type": "char_location",
    "cited_text": "The grass is green.",
    "document_index": 0,
    "document_title": "Nature",
    "start_char_index": 0,
    "end_char_index": 20,
}
FOUND: Final = {
    "type": "web_search_result_location",
    "cited_text": "Claude Shannon was born in 1916.",
    "url": "https://en.wikipedia.org/wiki/Claude_Shannon",
    "title": "Claude Shannon",
    "encrypted_index": "Eo8BCioIAhgB",
}
RESULT: Final = {
    "type": "web_search_result",
    "url": "https://a.example",
    "title": "Weather",
    "encrypted_content": "EqgfCioIARgB",
    "page_age": None,
}
SPLIT: Final = {
    "input_tokens": 3,
    "cache_creation_input_tokens": 100,
    "cache_read_input_tokens": 2000,
    "cache_creation": {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 0},
    "output_tokens": 2,
    "service_tier": "standard",
}

STREAMS: Final[dict[str, list[bytes]]] = {
    "text": [start(), *text(0, "Hello", ", caf\u00e9 ", "\U0001f389!"), PING, *end()],
    "thinking": [
        start(),
        *block(
            0,
            {"type": "thinking", "thinking": "", "signature": ""},
            {"type": "thinking_delta", "thinking": "Let me "},
            {"type": "thinking_delta", "thinking": "add 27 and 453."},
            {"type": "signature_delta", "signature": "EqQBCgIYAhIM1gbcDa9GJwZA2b3h=="},
        ),
        *block(1, {"type": "redacted_thinking", "data": "EmwKAhgBEgy3va3pzix/LafPsn4a"}),
        *text(2, "It is ", "480."),
        *end(output_tokens_details={"thinking_tokens": 9}),
    ],
    "parallel_tools": [
        start(),
        *text(0, "I will look."),
        *tool(1, "toolu_01A", "get_weather", '{"ci', 'ty": "S', "an Fran\\u00", 'e7isco"}'),
        *tool(2, "toolu_01B", "get_time", '{"zone": 1.50}'),
        *tool(3, "toolu_01C", "now"),
        *end("tool_use"),
    ],
    "citations": [
        start(),
        *text(0, "According to it, "),
        *block(
            1,
            {"type": "text", "text": "", "citations": []},
            {"type": "citations_delta", "citation": CITED},
            {"type": "text_delta", "text": "the grass is green"},
        ),
        *block(
            2,
            {"type": "text", "text": "", "citations": []},
            {"type": "text_delta", "text": " and he was born in 1916."},
            {"type": "citations_delta", "citation": FOUND},
        ),
        *end(),
    ],
    "refusal": [start(), *text(0, "I can"), *end("refusal")],
    "stop_sequence": [start(), *text(0, "one two "), *end("stop_sequence", "three")],
    "server_tool": [
        start(),
        *text(0, "Let me search."),
        *block(
            1,
            {"type": "server_tool_use", "id": "srvtoolu_01", "name": "web_search", "input": {}},
            {"type": "input_json_delta", "partial_json": '{"query": "weather"}'},
        ),
        *block(2, {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_01", "content": [RESULT]}),
        *text(3, "It is sunny."),
        *end("end_turn", server_tool_use={"web_search_requests": 1}),
    ],
    "cache": [start(SPLIT), *text(0, "Yes."), *end()],
    "interleaved": [
        start(),
        *block(
            0,
            {"type": "thinking", "thinking": "", "signature": ""},
            {"type": "thinking_delta", "thinking": "First."},
            {"type": "signature_delta", "signature": "sig1"},
        ),
        *tool(1, "toolu_1", "f", "{}"),
        *block(
            2,
            {"type": "thinking", "thinking": "", "signature": ""},
            {"type": "signature_delta", "signature": "sig2"},
        ),
        *text(3, "Done."),
        *end("pause_turn"),
    ],
}
OVERLOADED: Final = event("error", error={"type": "overloaded_error", "message": "Overloaded"})


def read(data: bytes, dialect: UpstreamDialect = MESSAGES) -> list[Event]:
    """The events of a stream."""
    framing, reader = dialect.framing(), dialect.reader()
    return [event for frame in (*framing.feed(data), *framing.end()) for event in reader.read(frame)]


def answered(events: Iterable[Event], dialect: str = "messages") -> Answer:
    """What these events say, as far as the one that ends the answer."""
    answer, whole = Answer(dialect=dialect), Collected()
    for said in events:
        answer.note(said)
        whole.note(said)
        if isinstance(said, End | Failure):
            break
    answer.collected = whole
    return answer


def verdict(events: Iterable[Event]) -> End | Failure:
    """How the answer ended, if no more came."""
    return answered(events).verdict(Cause.EOF)
