"""The golden answers of the messages dialect: what Anthropic writes, by the names of the chat dialect's answers."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import msgspec

from gateway.testing.canned import Canned, Said

_HELLO: Final = ("Hello", " there,", " world.")
_JSON: Final = "application/json"


def event(name: str, **said: Any) -> bytes:
    """One event of a messages stream."""
    return f"event: {name}\ndata: ".encode() + msgspec.json.encode({"type": name, **said}) + b"\n\n"


def start(**usage: int) -> bytes:
    """The event that begins a message."""
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": []}
    counted = {"input_tokens": 11, "output_tokens": 1, **usage}
    return event("message_start", message={**message, "stop_reason": None, "stop_sequence": None, "usage": counted})


def block(index: int, kind: Mapping[str, Any], *deltas: Mapping[str, Any]) -> tuple[bytes, ...]:
    """One block of content."""
    return (
        event("content_block_start", index=index, content_block=kind),
        *(event("content_block_delta", index=index, delta=delta) for delta in deltas),
        event("content_block_stop", index=index),
    )


def text(*pieces: str, index: int = 0) -> tuple[bytes, ...]:
    """A block of text."""
    return block(index, {"type": "text", "text": ""}, *({"type": "text_delta", "text": piece} for piece in pieces))


def end(reason: str = "end_turn") -> tuple[bytes, ...]:
    """The events that end a message."""
    delta = {"stop_reason": reason, "stop_sequence": None}
    return event("message_delta", delta=delta, usage={"output_tokens": 7}), event("message_stop")


def _call(index: int, name: str, *pieces: str) -> tuple[bytes, ...]:
    kind = {"type": "tool_use", "id": f"toolu_{index}", "name": name, "input": {}}
    return block(index, kind, *({"type": "input_json_delta", "partial_json": piece} for piece in ("", *pieces)))


def _said(*writes: bytes, needs: str = "", **says: Any) -> Canned:
    return Canned(writes=writes, says=Said(**says), needs=needs)


def _message() -> Canned:
    content = [{"type": "text", "text": "".join(_HELLO)}]
    body = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": content}
    usage = {"input_tokens": 11, "output_tokens": 7}
    whole = msgspec.json.encode({**body, "stop_reason": "end_turn", "stop_sequence": None, "usage": usage})
    return Canned(writes=(whole,), says=Said(text="".join(_HELLO)), needs="json_answer", content_type=_JSON)


def _library() -> dict[str, Canned]:
    plain = (start(), *text(*_HELLO), *end())
    hello: dict[str, Any] = {"text": "".join(_HELLO)}
    ping = event("ping")
    error = {"type": "overloaded_error", "message": "Overloaded"}
    broken = event("error", error=error)
    accented = text("caf\N{LATIN SMALL LETTER E WITH ACUTE} \N{PARTY POPPER}!")
    cut = accented[1].index("\N{PARTY POPPER}".encode()) + 1
    long = "x" * (900 * 1024)
    cities = ('{"ci', 'ty": "Tok', 'yo"}')
    thinking = block(
        0,
        {"type": "thinking", "thinking": "", "signature": ""},
        *({"type": "thinking_delta", "thinking": piece} for piece in ("Let me ", "think.")),
        {"type": "signature_delta", "signature": "EqQBCgIYAhIM"},
    )
    return {
        "text": _said(*plain, **hello),
        "role_only_first": _said(plain[0], ping, *plain[1:], **hello),
        "usage_without_choices": _said(*plain, needs="usage", tokens=(11, 7), **hello),
        "tool_calls_split": _said(
            start(),
            *_call(0, "get_weather", *cities),
            *end("tool_use"),
            needs="tools",
            tools=(("get_weather", "".join(cities)),),
            finish="tool_calls",
        ),
        "parallel_tools": _said(
            start(),
            *_call(0, "get_weather", '{"city": "Rome"}'),
            *_call(1, "get_time", '{"zone":', ' "CET"}'),
            *end("tool_use"),
            needs="tools",
            tools=(("get_weather", '{"city": "Rome"}'), ("get_time", '{"zone": "CET"}')),
            finish="tool_calls",
        ),
        "reasoning": _said(
            start(),
            *thinking,
            *text(*_HELLO, index=1),
            *end(),
            needs="reasoning",
            reasoning="Let me think.",
            **hello,
        ),
        "comments": _said(*(piece for event in plain for piece in (b": keep-alive\n\n", event)), **hello),
        "crlf": _said(*(piece.replace(b"\n", b"\r\n") for piece in plain), **hello),
        "split_utf8": _said(
            start(),
            accented[0],
            accented[1][:cut],
            accented[1][cut:] + accented[2],
            *end(),
            text="caf\N{LATIN SMALL LETTER E WITH ACUTE} \N{PARTY POPPER}!",
        ),
        "long_line": _said(start(), *text(long), *end(), text=long),
        "no_done": _said(*plain[:-1], **hello),
        "json_for_a_stream": _message(),
        "error_at_once": _said(broken),
        "error_in_the_stream": _said(*plain[:3], broken),
        "error_as_json": Canned(
            writes=(msgspec.json.encode({"type": "error", "error": error}),), says=Said(), content_type=_JSON
        ),
    }


MESSAGES: Final[Mapping[str, Canned]] = MappingProxyType(_library())
"""What Anthropic's API answers, by name; with status 200, its errors too."""
