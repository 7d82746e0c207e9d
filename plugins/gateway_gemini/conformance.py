"""What the gateway's conformance kit has to know: how Gemini answers."""

import json
from collections.abc import Mapping
from typing import Any, Final

_HEAD: Final = {"modelVersion": "gemini-3-flash", "responseId": "mAitaLmkHPPlz7IP"}
_COUNTS: Final = {"promptTokenCount": 11, "candidatesTokenCount": 4, "thoughtsTokenCount": 3, "totalTokenCount": 18}
_HELLO: Final = ("Hello", " there,", " world.")
_ERROR: Final = {"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}}


def event(value: Any) -> bytes:
    """One event of a stream."""
    return b"data: " + json.dumps(value, ensure_ascii=False).encode() + b"\r\n\r\n"


def chunk(*parts: Mapping[str, Any], finish: str | None = None, index: int = 0, **more: Any) -> bytes:
    """One chunk of an answer."""
    return event(body(*parts, finish=finish, index=index, **more))


def body(*parts: Mapping[str, Any], finish: str | None = None, index: int = 0, **more: Any) -> dict[str, Any]:
    """The object of a chunk, which a whole answer is, too."""
    candidate: dict[str, Any] = {"content": {"parts": list(parts), "role": "model"}, "index": index}
    return {"candidates": [{**candidate, **({"finishReason": finish} if finish else {})}], **more, **_HEAD}


def call(name: str, args: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """A part that is a call."""
    return {"functionCall": {"name": name, "args": args}, **more}


def _texts(*texts: str) -> tuple[bytes, ...]:
    *before, last = texts
    return *(chunk({"text": text}) for text in before), chunk({"text": last}, finish="STOP", usageMetadata=_COUNTS)


def _said(*writes: bytes, needs: str = "", **says: Any) -> dict[str, Any]:
    return {"writes": writes, "says": says, "needs": needs}


def _json(value: Any, needs: str = "", **says: Any) -> dict[str, Any]:
    return {"writes": (json.dumps(value).encode(),), "says": says, "needs": needs, "content_type": "application/json"}


def _answers() -> dict[str, Any]:
    plain, hello = _texts(*_HELLO), "".join(_HELLO)
    party = _texts("caf\N{LATIN SMALL LETTER E WITH ACUTE} \N{PARTY POPPER}!")[0]
    cut = party.index("\N{PARTY POPPER}".encode()) + 1
    long = "x" * (900 * 1024)
    rome, cet = {"city": "Rome"}, {"zone": "CET"}
    calls = (("get_weather", json.dumps(rome)), ("get_time", json.dumps(cet)))
    return {
        "text": _said(*plain, text=hello),
        "role_only_first": _said(chunk(), *plain, text=hello),
        "usage_without_choices": _said(*plain, needs="usage", tokens=(11, 7), text=hello),
        "tool_calls_split": _said(
            chunk(call("get_weather", rome, thoughtSignature="c2ln")),
            chunk({"text": ""}, finish="STOP"),
            needs="tools",
            tools=calls[:1],
            finish="tool_calls",
        ),
        "parallel_tools": _said(
            chunk(call("get_weather", rome, thoughtSignature="c2ln")),
            chunk(call("get_time", cet), finish="STOP"),
            needs="tools",
            tools=calls,
            finish="tool_calls",
        ),
        "reasoning": _said(
            *(chunk({"text": text, "thought": True}) for text in ("Let me ", "think.")),
            *plain,
            needs="reasoning",
            reasoning="Let me think.",
            text=hello,
        ),
        "several_choices": {
            **_said(
                chunk({"text": "one"}),
                chunk({"text": "two"}, index=1),
                chunk(finish="STOP"),
                chunk(finish="STOP", index=1),
                needs="choices",
                text="one",
                others=("two",),
            ),
            "choices": 2,
        },
        "comments": _said(*(piece for event in plain for piece in (b": keep-alive\n\n", event)), text=hello),
        "crlf": _said(*plain, text=hello),
        "split_utf8": _said(party[:cut], party[cut:], text="caf\N{LATIN SMALL LETTER E WITH ACUTE} \N{PARTY POPPER}!"),
        "long_line": _said(*_texts(long), text=long),
        "no_done": _said(*plain, text=hello),
        "json_for_a_stream": _json(body({"text": hello}, finish="STOP"), needs="json_answer", text=hello),
        "error_at_once": _said(event(_ERROR)),
        "error_in_the_stream": _said(*plain[:2], event(_ERROR)),
        "error_as_json": _json([_ERROR]),
    }


CONFORMANCE = {"answers": _answers()}
