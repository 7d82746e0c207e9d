"""What the gateway's conformance kit has to know: how Cohere says the golden answers."""

import json
from typing import Any, Final

_HELLO: Final = ("Hello", " there,", " world.")
_PARTY: Final = "caf\N{LATIN SMALL LETTER E WITH ACUTE} \N{PARTY POPPER}!"
_LONG: Final = "x" * (900 * 1024)


def event(kind: str, **said: Any) -> bytes:
    """One event."""
    data = json.dumps({"type": kind, **said}, ensure_ascii=False, separators=(",", ":"))
    return f"event: {kind}\ndata: {data}\n\n".encode()


def message(kind: str, index: int | None = None, **said: Any) -> bytes:
    """An event that tells a piece of the message."""
    place = {} if index is None else {"index": index}
    return event(kind, **place, delta={"message": said})


def text(index: int, *pieces: str) -> tuple[bytes, ...]:
    """A block of text."""
    return (
        message("content-start", index, content={"type": "text", "text": ""}),
        *(message("content-delta", index, content={"text": piece}) for piece in pieces),
        event("content-end", index=index),
    )


def thinking(index: int, *pieces: str) -> tuple[bytes, ...]:
    """A block of thinking."""
    return (
        message("content-start", index, content={"type": "thinking", "thinking": ""}),
        *(message("content-delta", index, content={"thinking": piece}) for piece in pieces),
        event("content-end", index=index),
    )


def call(index: int, id: str, name: str, *pieces: str) -> tuple[bytes, ...]:
    """A call of a tool."""
    begun = {"id": id, "type": "function", "function": {"name": name, "arguments": ""}}
    return (
        message("tool-call-start", index, tool_calls=begun),
        *(message("tool-call-delta", index, tool_calls={"function": {"arguments": piece}}) for piece in pieces),
        event("tool-call-end", index=index),
    )


def end(reason: str = "COMPLETE", **more: Any) -> bytes:
    """The last event."""
    usage = {
        "billed_units": {"input_tokens": 3, "output_tokens": 7},
        "tokens": {"input_tokens": 11, "output_tokens": 7},
    }
    return event("message-end", delta={"finish_reason": reason, "usage": usage, **more})


START: Final = event(
    "message-start",
    id="29f14a5a-11de-4cae-9800-25e4747408ea",
    delta={"message": {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}},
)
_CITIES: Final = ('{"ci', 'ty": "Tok', 'yo"}')


def _said(*writes: bytes, **says: Any) -> dict[str, Any]:
    return {"writes": writes, "says": says}


def _split(data: bytes, cut: bytes) -> tuple[bytes, ...]:
    at = data.index(cut) + 1
    return data[:at], data[at:]


def _answers() -> dict[str, Any]:
    hello = "".join(_HELLO)
    plain = (START, *text(0, *_HELLO), end())
    broken = event("message-end", delta={"finish_reason": "ERROR", "error": "The model fell over."})
    whole = {
        "id": "c14c80c3",
        "finish_reason": "COMPLETE",
        "message": {"role": "assistant", "content": [{"type": "text", "text": hello}]},
        "usage": {"tokens": {"input_tokens": 11.0, "output_tokens": 7.0}},
    }
    return {
        "text": _said(*plain, text=hello),
        "usage_without_choices": _said(*plain, text=hello, tokens=(11, 7)),
        "tool_calls_split": _said(
            START,
            *(message("tool-plan-delta", tool_plan=piece) for piece in ("I will ", "look.")),
            *call(0, "get_weather_1", "get_weather", *_CITIES),
            end("TOOL_CALL"),
            tools=[("get_weather", "".join(_CITIES))],
            reasoning="I will look.",
            finish="tool_calls",
        ),
        "parallel_tools": _said(
            START,
            *call(0, "get_weather_1", "get_weather", '{"city": "Rome"}'),
            *call(1, "get_time_2", "get_time", '{"zone":', ' "CET"}'),
            end("TOOL_CALL"),
            tools=[("get_weather", '{"city": "Rome"}'), ("get_time", '{"zone": "CET"}')],
            finish="tool_calls",
        ),
        "reasoning": _said(
            START,
            *thinking(0, "Let me ", "think."),
            *text(1, *_HELLO),
            end(),
            reasoning="Let me think.",
            text=hello,
        ),
        "comments": _said(*(piece for one in plain for piece in (b": keep-alive\n\n", one)), text=hello),
        "crlf": _said(*(piece.replace(b"\n", b"\r\n") for piece in plain), text=hello),
        "split_utf8": _said(
            START,
            text(0)[0],
            *_split(text(0, _PARTY)[1], "\N{PARTY POPPER}".encode()),
            text(0)[-1],
            end(),
            text=_PARTY,
        ),
        "long_line": _said(START, *text(0, _LONG), end(), text=_LONG),
        "json_for_a_stream": {
            "writes": (json.dumps(whole).encode(),),
            "says": {"text": hello},
            "content_type": "application/json",
        },
        "error_at_once": _said(broken),
        "error_in_the_stream": _said(*plain[:3], broken),
        "error_as_json": {
            "writes": (b'{"id":"1","message":"too many requests"}',),
            "says": {},
            "content_type": "application/json",
        },
    }


CONFORMANCE: Final = {"answers": _answers()}
