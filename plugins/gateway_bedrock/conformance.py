"""What the gateway's conformance kit has to know: how ConverseStream says the golden answers."""

import json
from collections.abc import Mapping
from typing import Any, Final
from zlib import crc32

_HELLO: Final = ("Hello", " there,", " world.")
_STREAM: Final = "application/vnd.amazon.eventstream"


def message(headers: Mapping[str, str], payload: bytes) -> bytes:
    """One message of an event stream."""
    block = b"".join(
        bytes([len(name)]) + name + b"\x07" + len(value).to_bytes(2, "big") + value
        for name, value in ((name.encode(), value.encode()) for name, value in headers.items())
    )
    prelude = (16 + len(block) + len(payload)).to_bytes(4, "big") + len(block).to_bytes(4, "big")
    body = prelude + crc32(prelude).to_bytes(4, "big") + block + payload
    return body + crc32(body).to_bytes(4, "big")


def event(name: str, **said: Any) -> bytes:
    """One event."""
    headers = {":event-type": name, ":content-type": "application/json", ":message-type": "event"}
    return message(headers, json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode())


def exception(name: str, text: str) -> bytes:
    """An exception in the midst of a stream."""
    headers = {":exception-type": name, ":content-type": "application/json", ":message-type": "exception"}
    return message(headers, json.dumps({"message": text}).encode())


def delta(index: int, **said: Any) -> bytes:
    """A piece of a block."""
    return event("contentBlockDelta", contentBlockIndex=index, delta=said)


def stop(index: int) -> bytes:
    """The end of a block."""
    return event("contentBlockStop", contentBlockIndex=index)


def text(index: int, *pieces: str) -> tuple[bytes, ...]:
    """A block of text; it is not announced."""
    return (*(delta(index, text=piece) for piece in pieces), stop(index))


def call(index: int, id: str, name: str, *pieces: str) -> tuple[bytes, ...]:
    """A call of a tool."""
    start = event("contentBlockStart", contentBlockIndex=index, start={"toolUse": {"toolUseId": id, "name": name}})
    return (start, *(delta(index, toolUse={"input": piece}) for piece in pieces), stop(index))


def end(reason: str = "end_turn", **usage: int) -> tuple[bytes, ...]:
    """The events that end an answer: usage comes after the stop."""
    counted = {"inputTokens": 11, "outputTokens": 7, "totalTokens": 18, **usage}
    return event("messageStop", stopReason=reason), event("metadata", usage=counted, metrics={"latencyMs": 551})


START: Final = event("messageStart", role="assistant")
_CITIES: Final = ('{"ci', 'ty": "Tok', 'yo"}')
_PARTY: Final = "caf\N{LATIN SMALL LETTER E WITH ACUTE} \N{PARTY POPPER}!"
_LONG: Final = "x" * (900 * 1024)


def _said(*writes: bytes, **says: Any) -> dict[str, Any]:
    return {"writes": writes, "says": says, "content_type": _STREAM}


def _split(whole: bytes, cut: bytes) -> tuple[bytes, ...]:
    at = whole.index(cut) + 1
    return whole[:at], whole[at:]


def _answers() -> dict[str, Any]:
    hello = "".join(_HELLO)
    plain = (START, *text(0, *_HELLO), *end())
    whole = {
        "output": {"message": {"role": "assistant", "content": [{"text": hello}]}},
        "stopReason": "end_turn",
        "usage": {"inputTokens": 11, "outputTokens": 7, "totalTokens": 18},
        "metrics": {"latencyMs": 551},
    }
    error = exception("modelStreamErrorException", "The model fell over.")
    return {
        "text": _said(*plain, text=hello),
        "usage_without_choices": _said(*plain, text=hello, tokens=(11, 7)),
        "tool_calls_split": _said(
            START,
            *call(0, "tooluse_1", "get_weather", "", *_CITIES),
            *end("tool_use"),
            tools=[("get_weather", "".join(_CITIES))],
            finish="tool_calls",
        ),
        "parallel_tools": _said(
            START,
            *call(0, "tooluse_1", "get_weather", '{"city": "Rome"}'),
            *call(1, "tooluse_2", "get_time", '{"zone":', ' "CET"}'),
            *end("tool_use"),
            tools=[("get_weather", '{"city": "Rome"}'), ("get_time", '{"zone": "CET"}')],
            finish="tool_calls",
        ),
        "reasoning": _said(
            START,
            *(delta(0, reasoningContent={"text": piece}) for piece in ("Let me ", "think.")),
            delta(0, reasoningContent={"signature": "EqQBCgIYAhIM"}),
            stop(0),
            *text(1, *_HELLO),
            *end(),
            reasoning="Let me think.",
            text=hello,
        ),
        "split_utf8": _said(
            START, *_split(delta(0, text=_PARTY), "\N{PARTY POPPER}".encode()), stop(0), *end(), text=_PARTY
        ),
        "long_line": _said(START, *text(0, _LONG), *end(), text=_LONG),
        "no_done": _said(*plain[:-1], text=hello),
        "json_for_a_stream": {
            "writes": (json.dumps(whole).encode(),),
            "says": {"text": hello},
            "content_type": "application/json",
        },
        "error_at_once": _said(error),
        "error_in_the_stream": _said(*plain[:3], error),
        "error_as_json": {
            "writes": (b'{"message":"Too many tokens, please wait before trying again."}',),
            "says": {},
            "content_type": "application/json",
        },
    }


CONFORMANCE: Final = {"answers": _answers()}
