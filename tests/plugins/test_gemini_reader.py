"""What Gemini's chunks say."""

import json
from typing import Any

import msgspec
import pytest
from gemini_streams import BROKEN, FOUND, HEAD, OVERLOADED, SIGNATURE, STREAMS, call, chunk, counted, event, text

from gateway.events import (
    Citation,
    End,
    Event,
    Failure,
    Finish,
    Frame,
    Opaque,
    Reasoning,
    Start,
    Text,
    ToolCall,
    Usage,
)
from gateway_gemini.dialect import GEMINI


def read(*writes: bytes) -> list[Event]:
    """The events without their frames."""
    framing, reader = GEMINI.framing(), GEMINI.reader()
    events = [e for frame in framing.feed(b"".join(writes)) for e in reader.read(frame)]
    assert all(isinstance(e.source, Frame) for e in events)
    return [msgspec.structs.replace(e, source=None) for e in events]


def of(kind: type[Event], events: list[Event]) -> list[Any]:
    return [e for e in events if isinstance(e, kind)]


def test_the_answer_has_a_name_and_counts_thinking_as_output() -> None:
    events = read(*STREAMS["text"].writes)
    assert events[0] == Start(id=HEAD["responseId"], model=HEAD["modelVersion"])
    assert len(of(Start, events)) == 1
    usage = of(Usage, events)[-1]
    assert (usage.input, usage.output, usage.cache_read, usage.reasoning) == (9, 26, 3, 20)
    assert of(Finish, events) == [Finish(reason="stop", native="STOP")]


def test_calls_without_an_id_get_one_from_the_answers() -> None:
    first, second, third = of(ToolCall, read(
        chunk(call("f", {"a": 1}), call("f", {"a": 1})), chunk(call("g", {}, id="own"), finish="STOP"),
    ))  # fmt: skip
    name = HEAD["responseId"]
    assert [one.id for one in (first, second, third)] == [f"call_{name}_1", f"call_{name}_2", "own"]
    assert len(first.id) <= 40
    unnamed = event({"candidates": [{"content": {"parts": [call("f", {})]}, "finishReason": "STOP"}]})
    ids = {of(ToolCall, read(unnamed))[0].id for _ in range(2)}
    assert len(ids) == 2


def test_arguments_are_spelled_as_they_were() -> None:
    spelled = b'{"n": 1.50, "big": 12345678901234567890123, "t": "caf\\u00e9"}'
    part = b'{"functionCall":{"name":"f","args":' + spelled + b"}}"
    (said,) = of(ToolCall, read(b'data: {"candidates":[{"content":{"parts":[' + part + b"]}}]}\n\n"))
    assert said.arguments == spelled.decode()
    for args in ({"args": None}, {}):
        (said,) = of(ToolCall, read(chunk({"functionCall": {"name": "f", **args}})))
        assert said.arguments == "{}"


def test_a_stop_after_a_call_is_the_calls() -> None:
    events = read(*STREAMS["parallel_calls"].writes)
    assert of(Finish, events) == [Finish(reason="tool_calls", native="STOP")]
    assert [one.signature for one in of(ToolCall, events)] == [SIGNATURE, None]


def test_a_proof_stands_before_the_text_it_begins_with_and_else_behind() -> None:
    first = read(chunk(text("a", thoughtSignature="s")), chunk(text("b")))
    assert [type(e) for e in first if isinstance(e, Text | Reasoning)] == [Reasoning, Text, Text]
    last = read(chunk(text("a")), chunk(text("b", thoughtSignature="s")))
    assert [type(e) for e in last if isinstance(e, Text | Reasoning)] == [Text, Text, Reasoning]
    assert of(Reasoning, last) == [Reasoning(signature="s")]


@pytest.mark.parametrize(
    ("native", "reason"),
    [
        ("MAX_TOKENS", "length"),
        ("SAFETY", "content_filter"),
        ("RECITATION", "content_filter"),
        ("PROHIBITED_CONTENT", "content_filter"),
        ("OTHER", "other"),
        ("SOMETHING_NEW", "other"),
    ],
)
def test_how_it_finished(native: str, reason: str) -> None:
    assert of(Finish, read(chunk(text("a"), finish=native)))[0].reason == reason
    called = read(chunk(call("f", {})), chunk(finish=native))
    assert of(Finish, called)[0].reason == reason


@pytest.mark.parametrize(
    ("native", "status", "retryable"),
    [("MALFORMED_FUNCTION_CALL", 502, True), ("UNEXPECTED_TOOL_CALL", 502, True),
     ("MISSING_THOUGHT_SIGNATURE", 400, False)],
)  # fmt: skip
def test_an_answer_that_is_none_is_a_failure(native: str, status: int, retryable: bool) -> None:
    *_, last = read(chunk(finish=native, finishMessage="print(x)"))
    assert isinstance(last, Failure)
    assert (last.code, last.status, last.retryable) == (native.lower(), status, retryable)
    assert last.message.endswith("print(x)")


def test_a_blocked_prompt_is_an_answer_that_was_filtered() -> None:
    events = read(*STREAMS["blocked"].writes)
    assert events[-2:] == [Finish(reason="content_filter", native="PROHIBITED_CONTENT"), End()]
    assert (of(Usage, events)[0].input, of(Usage, events)[0].output) == (4, 0)


@pytest.mark.parametrize("name", ["an_error_in_the_stream", "a_bare_error"])
def test_an_error_in_the_stream_has_its_status(name: str) -> None:
    *_, last = read(*BROKEN[name].writes)
    assert isinstance(last, Failure)
    assert (last.status, last.retryable, last.message) == (503, True, "The model is overloaded.")
    assert last.native == {"message": "The model is overloaded.", "code": "unavailable"}


def test_sources_count_characters_and_come_once() -> None:
    said = chunk(text("Spain won\u00e9 twice."))
    grounded = chunk(groundingMetadata=FOUND)
    found = of(Citation, read(said, grounded, grounded))
    assert [(one.url, one.start, one.end, one.quote) for one in found] == [
        ("https://a.example/1", 0, 9, "Spain won\u00e9"),
        ("https://b.example/2", 0, 9, "Spain won\u00e9"),
        ("https://b.example/2", 10, 15, "twice"),
    ]
    sources = {"citationSources": [{"startIndex": 0, "endIndex": 5, "uri": "https://c.example"}, {"endIndex": 3}]}
    (repeated,) = of(Citation, read(said, chunk(citationMetadata=sources)))
    assert (repeated.url, repeated.start, repeated.end) == ("https://c.example", 0, 5)


def test_log_probabilities_are_those_of_openai() -> None:
    token = {"token": "AI", "tokenId": 7, "logProbability": -0.1}
    result = {"chosenCandidates": [token], "topCandidates": [{"candidates": [token, {"token": "ML"}]}]}
    (said,) = of(Text, read(chunk(text("AI"), logprobsResult=result)))
    plain = {"token": "AI", "logprob": -0.1, "bytes": [65, 73]}
    other = {"token": "ML", "logprob": -9999.0, "bytes": [77, 76]}
    assert said.logprobs == {"content": [{**plain, "top_logprobs": [plain, other]}], "refusal": None}


def test_halves_of_surrogate_pairs_are_joined_and_lone_ones_replaced() -> None:
    parts = (chunk(text("a\ud83d")), chunk(text("\ude00b\ud83d")), chunk(text("x\ud83d", thought=True)))
    events = read(*parts, chunk(finish="STOP"))
    assert "".join(one.text for one in of(Text, events)) == "a\U0001f600b\ufffd"
    assert "".join(one.text for one in of(Reasoning, events)) == "x\ufffd"


@pytest.mark.parametrize(
    "data",
    [
        b"{", b"7", b"[]", b'{"candidates":7}', b'{"candidates":[7]}', b'{"candidates":[{"content":7}]}',
        b'{"candidates":[{"content":{"parts":[{"text":7}]}}]}', b"[" * 100_000,
        b'{"candidates":[{"content":{"parts":[{"text":"\xff"}]}}]}',
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_a_failure(data: bytes) -> None:
    (failure,) = read(b"data: " + data + b"\n\n")
    assert isinstance(failure, Failure)
    assert failure.code == "upstream_protocol"


@pytest.mark.parametrize(
    "data",
    [
        b": ping\n\n", b"data: [DONE]\n\n", b"data: {}\n\n", b'data: {"usageMetadata":7,"responseId":7}\n\n',
        chunk({"inlineData": {"mimeType": "image/png", "data": "AAAA"}}), chunk({"executableCode": {"code": "x"}}),
        b"{ no json\n\n",
    ],
)  # fmt: skip
def test_what_says_nothing_keeps_its_place(data: bytes) -> None:
    assert [type(e) for e in read(data) if not isinstance(e, Start | Usage)] == [Opaque]


def test_fields_of_an_unknown_shape_are_ignored() -> None:
    odd = {"candidates": [{"content": {"parts": [text("a", thought="yes")]}, "index": "0", "finishReason": 7}]}
    assert of(Text, read(event({**odd, "modelVersion": 7}))) == [Text(text="a")]


def body(*parts: dict[str, Any], **more: Any) -> bytes:
    return chunk(*parts, **more)[6:].strip()


def test_a_whole_answer_is_read_to_its_end() -> None:
    events = GEMINI.read_answer(b"\xef\xbb\xbf" + body(text("a"), finish="STOP", usage=counted()), 200)
    assert [type(e) for e in events] == [Start, Usage, Text, Finish, End]
    array = json.dumps([json.loads(body(text("a"))), json.loads(body(text("\ud83d"), finish="STOP"))]).encode()
    assert "".join(one.text for one in of(Text, GEMINI.read_answer(array, 200))) == "a\ufffd"
    blocked = STREAMS["blocked"].writes[0][6:].strip()
    assert [type(e) for e in GEMINI.read_answer(blocked, 200)][-2:] == [Finish, End]


@pytest.mark.parametrize(
    ("given", "status", "expected"),
    [
        (json.dumps([OVERLOADED]).encode(), 200, 503),
        (json.dumps(OVERLOADED).encode(), 500, 503),
        (b"<html>", 502, 502),
        (b"<html>", 200, 502),
        (b"[7]", 200, 502),
        (body(text("a")), 200, 502),
        (body(text("a"), finish="STOP"), 404, 404),
    ],
)
def test_a_body_that_is_no_answer_is_one_failure(given: bytes, status: int, expected: int) -> None:
    (failure,) = GEMINI.read_answer(given, status)
    assert isinstance(failure, Failure)
    assert failure.status == expected
