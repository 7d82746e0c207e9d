"""What the gateway's conformance kit has to know: how Ollama says the golden answers."""

import json
from typing import Any, Final

_HELLO: Final = ("Hello", " there,", " world.")
_STREAM: Final = "application/x-ndjson"
_PARTY: Final = "caf\N{LATIN SMALL LETTER E WITH ACUTE} \N{PARTY POPPER}!"
_LONG: Final = "x" * (900 * 1024)
_HEAD: Final = {"model": "qwen3:8b", "created_at": "2026-05-27T22:54:57.641643123Z"}


def line(said: Any) -> bytes:
    """One line."""
    return json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def delta(**message: Any) -> bytes:
    """A piece of the message."""
    return line({**_HEAD, "message": {"role": "assistant", "content": "", **message}, "done": False})


def call(name: str, arguments: Any, **more: Any) -> bytes:
    """A call of a tool, which comes as a whole."""
    return delta(tool_calls=[{"function": {"name": name, "arguments": arguments}, **more}])


def end(reason: str = "stop", **message: Any) -> bytes:
    """The last line."""
    return line({**whole(reason, **message)})


def whole(reason: str = "stop", **message: Any) -> dict[str, Any]:
    """The last line, or a whole answer."""
    counts = {"total_duration": 5589157167, "load_duration": 3013701500, "prompt_eval_count": 11, "eval_count": 7}
    said = {"role": "assistant", "content": "", **message}
    return {**_HEAD, "message": said, "done": True, "done_reason": reason, **counts}


def _said(*writes: bytes, **says: Any) -> dict[str, Any]:
    return {"writes": writes, "says": says, "content_type": _STREAM}


def _split(data: bytes, cut: bytes) -> tuple[bytes, ...]:
    at = data.index(cut) + 1
    return data[:at], data[at:]


def _answers() -> dict[str, Any]:
    hello = "".join(_HELLO)
    plain = (*(delta(content=piece) for piece in _HELLO), end())
    error = line({"error": "an error was encountered while running the model"})
    json_type = "application/json; charset=utf-8"
    return {
        "text": _said(*plain, text=hello),
        "role_only_first": _said(delta(), *plain, text=hello),
        "usage_without_choices": _said(*plain, text=hello, tokens=(11, 7)),
        "tool_calls_split": _said(
            call("get_weather", {"city": "Tokyo"}),
            end(),
            tools=[("get_weather", '{"city":"Tokyo"}')],
            finish="tool_calls",
        ),
        "parallel_tools": _said(
            call("get_weather", {"city": "Rome"}),
            call("get_time", {"zone": "CET"}, id="call_9"),
            end(),
            tools=[("get_weather", '{"city":"Rome"}'), ("get_time", '{"zone":"CET"}')],
            finish="tool_calls",
        ),
        "reasoning": _said(
            *(delta(thinking=piece) for piece in ("Let me ", "think.")), *plain, reasoning="Let me think.", text=hello
        ),
        "crlf": _said(*(piece.replace(b"\n", b"\r\n") for piece in plain), text=hello),
        "split_utf8": _said(*_split(delta(content=_PARTY), "\N{PARTY POPPER}".encode()), end(), text=_PARTY),
        "long_line": _said(delta(content=_LONG), end(), text=_LONG),
        "json_for_a_stream": {
            "writes": (json.dumps(whole(content=hello)).encode(),),
            "says": {"text": hello},
            "content_type": json_type,
        },
        "error_at_once": _said(error),
        "error_in_the_stream": _said(*plain[:2], error),
        "error_as_json": {"writes": (b'{"error":"model failed to load"}',), "says": {}, "content_type": json_type},
    }


CONFORMANCE: Final = {"answers": _answers()}
