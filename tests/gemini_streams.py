"""Streams in the shapes that Google's documentation shows, and what each one says."""

import json
from typing import Any, Final

from gateway.testing.canned import Canned, Said

HEAD: Final = {"modelVersion": "gemini-3-pro", "responseId": "mAitaLmkHPPlz7IPvtfUqQ4"}
SIGNATURE: Final = "EsMBCsABAVSoXO7/+=="


def event(value: Any, newline: bytes = b"\r\n") -> bytes:
    """One event."""
    return b"data: " + json.dumps(value, separators=(",", ":")).encode() + newline * 2


def counted(**tokens: int) -> dict[str, Any]:
    """What a chunk says of tokens."""
    return {"usageMetadata": {"promptTokenCount": 4, **tokens}}


def chunk(*parts: dict[str, Any], finish: str | None = None, index: int = 0, **more: Any) -> bytes:
    """One chunk; `more` are fields of the candidate, but for usage."""
    usage = more.pop("usage", counted(totalTokenCount=4))
    candidate: dict[str, Any] = {"index": index, **more}
    if parts or finish is None:
        candidate["content"] = {"parts": list(parts), "role": "model"}
    if finish is not None:
        candidate["finishReason"] = finish
    return event({"candidates": [candidate], **usage, **HEAD})


def text(words: str, **more: Any) -> dict[str, Any]:
    """A part of text."""
    return {"text": words, **more}


def call(name: str, args: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A part that is a call; `id` is the call's."""
    own = {"id": more.pop("id")} if "id" in more else {}
    return {"functionCall": {**own, "name": name, "args": args}, **more}


USED: Final = counted(
    candidatesTokenCount=6, thoughtsTokenCount=20, cachedContentTokenCount=3, toolUsePromptTokenCount=5,
    totalTokenCount=35,
)  # fmt: skip
FOUND: Final = {
    "webSearchQueries": ["Euro 2024 winner"],
    "searchEntryPoint": {"renderedContent": "<div/>"},
    "groundingChunks": [
        {"web": {"uri": "https://a.example/1", "title": "a.example"}},
        {"web": {"uri": "https://b.example/2", "title": "b.example"}},
    ],
    "groundingSupports": [
        {"segment": {"endIndex": 10, "text": "Spain won\u00e9"}, "groundingChunkIndices": [0, 1]},
        {"segment": {"startIndex": 11, "endIndex": 16, "text": "twice"}, "groundingChunkIndices": [1]},
    ],
}


def _canned(*writes: bytes, choices: int = 1, **says: Any) -> Canned:
    return Canned(writes=writes, says=Said(**says), choices=choices)


ROME, OSLO = {"city": "Rome"}, {"city": "Oslo"}
STREAMS: Final[dict[str, Canned]] = {
    "text": _canned(
        chunk(text("AI works by")),
        chunk(text(" learning, caf\u00e9 \U0001f389")),
        chunk(text("."), finish="STOP", usage=USED),
        text="AI works by learning, caf\u00e9 \U0001f389.",
        tokens=(9, 26),
    ),
    "thoughts": _canned(
        chunk(text("**Adding** ", thought=True)),
        chunk(text("27 and 453.", thought=True)),
        chunk(text("It is")),
        chunk(text(" 480.")),
        chunk(text("", thoughtSignature=SIGNATURE), finish="STOP", usage=USED),
        reasoning="**Adding** 27 and 453.",
        text="It is 480.",
        tokens=(9, 26),
    ),
    "parallel_calls": _canned(
        chunk(text("I will look.")),
        chunk(call("weather", ROME, thoughtSignature=SIGNATURE), call("weather", OSLO)),
        chunk(text(""), finish="STOP", usage=USED),
        text="I will look.",
        tools=(("weather", '{"city":"Rome"}'), ("weather", '{"city":"Oslo"}')),
        finish="tool_calls",
        tokens=(9, 26),
    ),
    "blocked": _canned(
        event({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, **counted(totalTokenCount=4), **HEAD}),
        finish="content_filter",
        tokens=(4, 0),
    ),
    "stopped_for_safety": _canned(
        chunk(text("How to")),
        chunk(finish="SAFETY", safetyRatings=[{"category": "HARM_CATEGORY_DANGEROUS_CONTENT", "blocked": True}]),
        text="How to",
        finish="content_filter",
    ),
    "two_choices": _canned(
        chunk(text("one")),
        chunk(text("two"), index=1),
        chunk(text("!"), finish="STOP"),
        chunk(text("?"), index=1, finish="STOP", usage=USED),
        choices=2,
        text="one!",
        others=("two?",),
        tokens=(9, 26),
    ),
    "grounded": _canned(
        chunk(text("Spain won\u00e9 twice.")),
        chunk(text(""), finish="STOP", groundingMetadata=FOUND, usage=USED),
        text="Spain won\u00e9 twice.",
    ),
    "an_array": Canned(
        writes=(
            json.dumps(
                [
                    json.loads(piece[6:])
                    for piece in (chunk(text("AI")), chunk(text(" works."), finish="STOP", usage=USED))
                ],
                indent=2,
            ).encode(),
        ),
        says=Said(text="AI works.", tokens=(9, 26)),
        content_type="application/json; charset=UTF-8",
    ),
}
OVERLOADED: Final = {"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}}
BROKEN: Final[dict[str, Canned]] = {
    "an_error_in_the_stream": _canned(chunk(text("AI")), event(OVERLOADED), text="AI"),
    "a_bare_error": _canned(chunk(text("AI")), json.dumps(OVERLOADED, indent=2).encode() + b"\n\n", text="AI"),
    "a_call_nobody_can_read": _canned(
        chunk(text("AI")), chunk(finish="MALFORMED_FUNCTION_CALL", finishMessage="print(weather"), text="AI"
    ),
}
