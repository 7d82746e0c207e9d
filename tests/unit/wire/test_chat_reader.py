"""What the chat reader makes of frames, usual and strange."""

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.events import (
    End,
    Event,
    Failure,
    Finish,
    Frame,
    Opaque,
    Reasoning,
    Refusal,
    Start,
    Text,
    ToolCall,
    Usage,
)
from gateway.wire.chat import CHAT


def read(*chunks: Any, lenient: bool = False, names: bool = False) -> list[Event]:
    reader = CHAT.reader(lenient=lenient)
    events: list[Event] = []
    for chunk in chunks:
        data = chunk if isinstance(chunk, bytes) else json.dumps(chunk).encode()
        frame = Frame(b"", data)
        said = reader.read(frame)
        assert said
        assert all(e.source is frame for e in said)
        events += said
    return [e for e in events if names or not isinstance(e, Start | Opaque)]


def delta(finish: str | None = None, *, index: int = 0, **fields: Any) -> dict[str, Any]:
    return {"id": "c1", "model": "m", "choices": [{"index": index, "delta": fields, "finish_reason": finish}]}


def tell(events: list[Event]) -> list[Any]:
    told: list[Any] = []
    for e in events:
        match e:
            case Text() | Refusal() | Reasoning():
                told.append((type(e).__name__, e.choice, e.text))
            case ToolCall():
                told.append(("ToolCall", e.choice, e.id, e.name, e.arguments))
            case Finish():
                told.append(("Finish", e.choice, e.reason, e.native))
            case Failure():
                told.append(("Failure", e.code, e.status))
            case _:
                told.append(type(e).__name__)
    return told


def test_an_answer_has_a_name_once() -> None:
    first, *rest = read(delta(content="a"), delta(content="b"), names=True)
    assert isinstance(first, Start)
    assert (first.id, first.model) == ("c1", "m")
    assert tell(rest) == [("Text", 0, "a"), ("Text", 0, "b")]


def test_kinds_of_text_keep_their_kind_and_choice() -> None:
    events = read(
        delta(reasoning_content="r1", index=1), delta(reasoning="r2"), delta(content="c", index=2), delta(refusal="no")
    )
    assert tell(events) == [("Reasoning", 1, "r1"), ("Reasoning", 0, "r2"), ("Text", 2, "c"), ("Refusal", 0, "no")]


@pytest.mark.parametrize("empty", [{}, {"content": ""}, {"content": None}, {"role": "assistant"}, {"tool_calls": []}])
def test_a_delta_that_says_nothing_is_opaque(empty: dict[str, Any]) -> None:
    *_, last = read(delta(**empty), delta(**empty), names=True)
    assert isinstance(last, Opaque)


@pytest.mark.parametrize(
    ("native", "reason"),
    [
        ("stop", "stop"),
        ("length", "length"),
        ("tool_calls", "tool_calls"),
        ("function_call", "tool_calls"),
        ("content_filter", "content_filter"),
        ("error", "error"),
        ("odd", "other"),
    ],
)
def test_finish_reasons_are_translated_and_kept(native: str, reason: str) -> None:
    assert tell(read(delta(native, content="x", index=1))) == [("Text", 1, "x"), ("Finish", 1, reason, native)]


def test_tool_calls_are_told_by_id_even_where_only_the_index_comes() -> None:
    def call(index: int, id: str | None = None, **function: str) -> dict[str, Any]:
        return {"index": index, "function": function} | ({"id": id} if id else {})

    events = read(
        delta(tool_calls=[call(0, "a", name="f", arguments=""), call(1, "b", name="g", arguments="[")]),
        delta(tool_calls=[call(1, arguments="]")]),
        delta(tool_calls=[call(0, arguments="{}")]),
        delta(function_call={"name": "old", "arguments": "1"}),
    )
    assert tell(events) == [
        ("ToolCall", 0, "a", "f", ""),
        ("ToolCall", 0, "b", "g", "["),
        ("ToolCall", 0, "b", None, "]"),
        ("ToolCall", 0, "a", None, "{}"),
        ("ToolCall", 0, None, "old", "1"),
    ]


def test_legacy_completions_and_lists_of_parts_are_text() -> None:
    parts = [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "yes"}]
    events = read({"choices": [{"index": 0, "text": "old", "finish_reason": "stop"}]}, delta(content=parts))
    assert tell(events) == [
        ("Text", 0, "old"),
        ("Finish", 0, "stop", "stop"),
        ("Reasoning", 0, "hm"),
        ("Text", 0, "yes"),
    ]


def test_usage_keeps_what_was_reported_and_nothing_else() -> None:
    native = {
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "prompt_tokens_details": {"cached_tokens": 4},
        "completion_tokens_details": {"reasoning_tokens": 3},
    }
    (usage,) = read({"choices": [], "usage": native})
    assert isinstance(usage, Usage)
    assert (usage.input, usage.output, usage.cache_read, usage.cache_write, usage.reasoning) == (10, 5, 4, None, 3)
    assert usage.native == native
    (usage,) = read({"usage": {"prompt_tokens": "7", "completion_tokens": True}})
    assert isinstance(usage, Usage)
    assert (usage.input, usage.output) == (None, None)


@pytest.mark.parametrize("data", [b"[DONE]", b"[DONE] and more"])
def test_done_is_the_end(data: bytes) -> None:
    assert tell(read(data)) == ["End"]


@pytest.mark.parametrize(
    ("chunk", "status", "message"),
    [
        ({"error": {"message": "Overloaded"}}, 502, "Overloaded"),
        ({"error": {"message": "m", "code": 429}}, 429, "m"),
        ({"error": {"message": "m", "status": 503, "code": 400}}, 503, "m"),
        ({"error": {"message": "m", "code": "rate_limit"}, "code": 404}, 404, "m"),
        ({"error": {"message": "m", "code": 200}}, 502, "m"),
        ({"error": {"message": "m", "code": True}}, 502, "m"),
        ({"error": "just words"}, 502, "just words"),
        ({"error": {}}, 502, "The upstream reported an error."),
        ({"error": []}, 502, "The upstream reported an error."),
        (rb'{"error":{"message":"x\ud83c"}}', 502, "x\ufffd"),
    ],
)
def test_a_truthy_error_is_a_failure_with_its_status(chunk: Any, status: int, message: str) -> None:
    (failure,) = read(chunk)
    assert isinstance(failure, Failure)
    assert (failure.code, failure.status, failure.message) == ("upstream_error", status, message)
    assert failure.retryable == (status in (408, 409, 429) or status >= 500)


@pytest.mark.parametrize("error", [None, False, 0, ""])
def test_an_error_that_is_falsy_is_none(error: Any) -> None:
    assert tell(read(delta(content="a") | {"error": error})) == [("Text", 0, "a")]


MALFORMED = [b"", b"{", b"null", b"5", b'"x"', b"[]", b'{"a":NaN}', b'{"a":1e5}x', b'{"choices":[{"delta":null}]}']
MALFORMED += [
    b'{"choices":"abc"}',
    b'{"choices":[5]}',
    b"[" * 100_000,
    b'{"a":"\xff"}',
]
MALFORMED += [b'{"a":"\xed\xa0\x80"}', b'{"choices":[{"delta":{"content":"\x01"}}]}', b"\xef\xbb\xbf{}", b" [DONE]"]


@pytest.mark.parametrize("data", MALFORMED, ids=range(len(MALFORMED)))
@pytest.mark.parametrize("lenient", [True, False])
def test_what_is_no_chunk_is_a_failure(data: bytes, lenient: bool) -> None:
    assert tell(read(data, lenient=lenient)) == [("Failure", "upstream_protocol", 502)]


@pytest.mark.parametrize(
    ("content", "printed"),
    [
        ("5", "5"),
        ("1.50", "1.5"),
        ("true", "true"),
        ('{"a":1}', "[object Object]"),
        ('["a",null,[1,"\\ud83cx"]]', "a,,1,\ufffdx"),
    ],
)
@pytest.mark.parametrize("chunk", ['{"choices":[{"delta":{"content":%s}}]}', '{"choices":[{"text":%s}]}'])
def test_lenient_reading_prints_a_text_that_is_none_as_javascript_does(chunk: str, content: str, printed: str) -> None:
    assert tell(read((chunk % content).encode(), lenient=True)) == [("Text", 0, printed)]


@pytest.mark.parametrize("content", ["null", "false", "0", '""', "[]", "[[]]"])
def test_lenient_reading_skips_a_content_without_text(content: str) -> None:
    assert read(b'{"choices":[{"delta":{"content":%s}}]}' % content.encode(), lenient=True) == []


def test_a_content_that_is_no_text_is_a_failure() -> None:
    assert tell(read(delta(content=5))) == [("Failure", "upstream_protocol", 502)]


@pytest.mark.parametrize(
    "fields",
    [
        {"tool_calls": []},
        {"tool_calls": [None, {"function": {"arguments": "1"}}]},
        {"tool_calls": {"function": {"arguments": "1"}}},
        {"tool_calls": [{"function": {"arguments": {"a": 1}}}]},
        {"tool_calls": [{"function": {"arguments": 5}}]},
        {"function_call": {"arguments": ["a"]}},
        {"function_call": {"arguments": True}, "tool_calls": [{"function": {"arguments": "1"}}]},
    ],
)
def test_lenient_reading_breaks_at_a_first_call_the_original_broke_at(fields: dict[str, Any]) -> None:
    assert tell(read(delta(**fields), lenient=True)) == [("Failure", "upstream_protocol", 502)]


@pytest.mark.parametrize(
    "fields",
    [
        {"tool_calls": None},
        {"function_call": {"name": "f"}, "tool_calls": []},
        {"tool_calls": [{"function": {"name": "f", "arguments": 5}}]},
        {"tool_calls": [{"function": {"arguments": "1"}}, None, {"function": {"arguments": 5}}]},
    ],
)
def test_lenient_reading_looks_at_the_first_call_only(fields: dict[str, Any]) -> None:
    assert not any(isinstance(e, Failure) for e in read(delta(**fields), lenient=True))


STRANGE = [b"{}", b'{"choices":null}', b'{"choices":5}', b'{"choices":{}}', b'{"choices":[null]}', b'{"choices":[[]]}']
STRANGE += [b'{"choices":[{"delta":5}]}', b'{"choices":[{"delta":{"tool_calls":[null]}}]}', b'{"id":5,"usage":7}']
STRANGE += [
    b'{"choices":[{"delta":{"tool_calls":{}}}]}',
    b'{"choices":[{"delta":{},"finish_reason":7}]}',
    b'{"n":1e999}',
]


@pytest.mark.parametrize("data", STRANGE, ids=range(len(STRANGE)))
def test_what_is_strange_but_says_nothing_passes(data: bytes) -> None:
    assert read(data) == []
    assert read(b'{"x":"\\ud83c",' + data[1:] if data != b"{}" else b'{"x":"\\ud83c"}') == []


def test_named_events_that_are_no_chunks_say_nothing_but_errors_and_done() -> None:
    def named(data: bytes, *, lenient: bool) -> list[Any]:
        return tell(CHAT.reader(lenient=lenient).read(Frame(b"", data, "x")))

    for lenient in (True, False):
        assert named(b'{"choices":[],"n":1}', lenient=lenient) == ["Opaque"]
        assert named(b"no json", lenient=lenient) == ["Opaque"]
        assert named(b"[DONE]", lenient=lenient) == ["End"]
    assert named(b'{"error":{"message":"m"}}', lenient=True) == ["Opaque"]
    assert named(b'{"error":{"message":"m"}}', lenient=False) == [("Failure", "upstream_error", 502)]


def test_named_chunks_are_read_as_the_openai_library_reads_them_but_leniently() -> None:
    chunks = [
        delta(content="a"),
        delta(content="\U0001d11e"),
        delta("stop"),
        {"choices": [], "usage": {"total_tokens": 3}},
    ]
    frames = [Frame(b"", json.dumps(chunk).encode(), "chunk") for chunk in chunks]
    strict, skimming, lenient = CHAT.reader(), CHAT.reader(), CHAT.reader(lenient=True)
    read_all = [event for frame in frames for event in strict.read(frame)]
    assert tell(read_all) == [
        "Start",
        ("Text", 0, "a"),
        ("Text", 0, "\U0001d11e"),
        ("Finish", 0, "stop", "stop"),
        "Usage",
    ]
    assert tell([event for frame in frames for event in skimming.skim(frame)]) == tell(read_all)
    assert tell([event for frame in frames for event in lenient.read(frame)]) == ["Opaque"] * 4


def test_leniently_only_the_first_choice_counts_whatever_its_index() -> None:
    two = {"choices": [{"index": 3, "delta": {"content": "a"}}, {"index": 0, "delta": {"content": "b"}}]}
    assert tell(read(two, lenient=True)) == [("Text", 0, "a")]
    assert tell(read(two)) == [("Text", 3, "a"), ("Text", 0, "b")]


def test_halves_of_a_surrogate_pair_are_joined_for_each_choice_and_kind() -> None:
    events = read(
        delta(content="a\ud83c"),
        delta(content="z", index=1),
        delta(reasoning_content="r\ud83c"),
        delta(content="\udf89b"),
        delta(reasoning_content="\udf89"),
    )
    assert tell(events) == [
        ("Text", 0, "a"),
        ("Text", 1, "z"),
        ("Reasoning", 0, "r"),
        ("Text", 0, "🎉b"),
        ("Reasoning", 0, "🎉"),
    ]


def test_a_half_that_stays_alone_is_a_replacement_character() -> None:
    assert tell(read(delta(content="\ud83c"), delta(content="x"))) == [("Text", 0, "\ufffdx")]
    assert tell(read(delta(content="\udf89x"))) == [("Text", 0, "\ufffdx")]
    assert tell(read(delta(content="a\ud83c"), delta("stop"), b"[DONE]")) == [
        ("Text", 0, "a"),
        ("Text", 0, "\ufffd"),
        ("Finish", 0, "stop", "stop"),
        "End",
    ]
    assert tell(read(delta(content="a\ud83c", index=1), b"[DONE]"))[1:] == [("Text", 1, "\ufffd"), "End"]
    call = {"index": 0, "id": "a", "function": {"name": "f", "arguments": "x\ud83c"}}
    assert tell(read(delta(tool_calls=[call]), b"[DONE]"))[1:] == [("ToolCall", 0, "a", None, "\ufffd"), "End"]


@given(st.text(max_size=12), st.lists(st.integers(0, 24), max_size=4))
def test_text_cut_between_utf16_units_arrives_whole(text: str, cuts: list[int]) -> None:
    units = text.encode("utf-16-le")
    edges = [0, *sorted(min(2 * c, len(units)) for c in cuts), len(units)]
    deltas = [units[a:b].decode("utf-16-le", "surrogatepass") for a, b in itertools.pairwise(edges)]
    events = read(*(delta(content=d) for d in deltas), b"[DONE]")
    assert "".join(e.text for e in events if isinstance(e, Text)) == text
    assert all(e.text for e in events if isinstance(e, Text))


@given(st.binary(max_size=60) | st.text(alphabet='{}[]":,\\ud83c chosdelta', max_size=60).map(str.encode))
def test_reading_never_raises(data: bytes) -> None:
    for lenient in (True, False):
        for event in read(data, lenient=lenient):
            if isinstance(event, Text):
                event.text.encode()
    for event in CHAT.read_answer(data, 200):
        assert isinstance(event, Event)


def test_the_end_is_an_event_of_its_own() -> None:
    assert isinstance(read(delta("stop"), b"[DONE]")[-1], End)


@pytest.mark.parametrize("lenient", [False, True], ids=["strict", "lenient"])
@pytest.mark.parametrize(
    "chunks",
    [
        [delta(content="more", index=1)],
        [delta(content="more", tool_calls=[{"index": 0, "id": "t", "function": {"name": "f", "arguments": "{}"}}])],
        [delta(content="more", reasoning_content="thought"), delta(content="said")],
        [delta(content="more", refusal="no")],
        [delta("stop", content="more")],
        [delta(content="")],
        [{"choices": [{"index": 0, "text": "legacy"}]}],
        [{**delta(content="more"), "usage": {"prompt_tokens": 1, "completion_tokens": 2}}],
        [{**delta(content="more"), "error": {"message": "broken"}}],
        [{"choices": [*delta(content="one")["choices"], *delta(content="two", index=1)["choices"]]}],
        [{"choices": [{"index": 0, "delta": None}]}],
        [{"choices": []}],
        [b'{"choices":[{"delta":{"content":"\\ud83c"}}]}', b'{"choices":[{"delta":{"content":"\\udf0d"}}]}'],
        [b'{"choices":[{"delta":{"content":"\\ud83c"}}]}', delta(content="plain")],
        [b'{"choices":[{"delta":{"content":"\xff"}}]}'],
        [b"no json"],
        [b"[DONE]"],
    ],
    ids=range(17),
)
def test_what_comes_behind_plain_text_says_what_it_says_without(chunks: list[Any], lenient: bool) -> None:
    named, quiet, plain = delta(role="assistant"), delta(content=""), [delta(content="a"), delta(content="b")]
    behind = tell(read(named, *plain, *chunks, *plain, lenient=lenient))
    before, after = [("Text", 0, "a"), ("Text", 0, "b")], tell(read(named, quiet, *chunks, *plain, lenient=lenient))
    assert behind == before + after


def test_thinking_that_the_first_chunk_brings_ends_with_its_proof_before_the_text() -> None:
    details = [{"type": "reasoning.text", "text": "hm", "signature": "s", "format": "f", "index": 0}]
    said = read(delta(reasoning_details=details), delta(content="a"), delta("stop"))
    assert [type(event) for event in said] == [Reasoning, Reasoning, Text, Finish]
    assert [event.signature is not None for event in said if isinstance(event, Reasoning)] == [False, True]
