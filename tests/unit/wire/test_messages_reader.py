"""What a messages upstream's frames and bodies say."""

import json
from typing import Any

import msgspec
import pytest
from messages_streams import (
    CITED,
    FOUND,
    OVERLOADED,
    PING,
    STREAMS,
    answered,
    block,
    end,
    event,
    read,
    start,
    text,
    tool,
)

from gateway.events import (
    Citation,
    End,
    Event,
    Failure,
    Finish,
    Frame,
    Opaque,
    Start,
    Text,
    ToolCall,
    Usage,
)
from gateway.prompt import ReasoningPart, TextPart, ToolCallPart
from gateway.wire.messages import MESSAGES


def stream(*events: bytes) -> list[Event]:
    return read(b"".join(events))


def told(*events: bytes) -> list[Event]:
    """The events without their frames and without those that say nothing."""
    said = [e for e in stream(*events) if not isinstance(e, Opaque)]
    return [msgspec.structs.replace(e, source=None) for e in said]


def message(name: str) -> Any:
    return answered(read(b"".join(STREAMS[name]))).collected


def test_a_text_is_read_piece_by_piece() -> None:
    events = told(*STREAMS["text"])
    usage = {"input_tokens": 25, "output_tokens": 1}
    assert events == [
        Start(id="msg_01XFD", model="claude-opus-4-6"),
        Usage(input=25, output=1, native=usage),
        Text(text="Hello", part=0),
        Text(text=", caf\u00e9 ", part=0),
        Text(text="\U0001f389!", part=0),
        Usage(input=25, output=15, native={**usage, "output_tokens": 15}),
        Finish(reason="stop", native="end_turn"),
        End(),
    ]


def test_every_frame_says_something() -> None:
    for pieces in STREAMS.values():
        for piece in pieces:
            assert read(piece), piece


def test_thinking_keeps_its_proof_and_what_is_hidden() -> None:
    assert message("thinking").message(maker="messages").parts == (
        ReasoningPart(text="Let me add 27 and 453.", signature="EqQBCgIYAhIM1gbcDa9GJwZA2b3h==", maker="messages"),
        ReasoningPart(redacted="EmwKAhgBEgy3va3pzix/LafPsn4a", maker="messages"),
        TextPart(text="It is 480."),
    )


def test_calls_are_told_apart_and_one_without_arguments_has_an_empty_object() -> None:
    assert message("parallel_tools").message().parts == (
        TextPart(text="I will look."),
        ToolCallPart(id="toolu_01A", name="get_weather", arguments='{"city": "San Fran\\u00e7isco"}'),
        ToolCallPart(id="toolu_01B", name="get_time", arguments='{"zone": 1.50}'),
        ToolCallPart(id="toolu_01C", name="now", arguments="{}"),
    )


def test_arguments_that_come_with_the_beginning_of_a_call_are_its_arguments() -> None:
    whole = {"type": "tool_use", "id": "t", "name": "f", "input": {"a": [1, "é"]}}
    calls = [e for e in told(start(), *block(0, whole), *end("tool_use")) if isinstance(e, ToolCall)]
    assert "".join(call.arguments for call in calls) == '{"a":[1,"é"]}'


def test_citations_belong_to_their_block() -> None:
    cited = [e for e in told(*STREAMS["citations"]) if isinstance(e, Citation)]
    assert cited == [
        Citation(title="Nature", quote="The grass is green.", part=1, native=CITED),
        Citation(url=FOUND["url"], title="Claude Shannon", quote=FOUND["cited_text"], part=2, native=FOUND),
    ]


@pytest.mark.parametrize(
    ("native", "reason"),
    [
        ("end_turn", "stop"),
        ("max_tokens", "length"),
        ("stop_sequence", "stop"),
        ("tool_use", "tool_calls"),
        ("pause_turn", "pause"),
        ("refusal", "refusal"),
        ("model_context_window_exceeded", "length"),
        ("something_new", "other"),
    ],
)
def test_how_it_stopped_is_told_in_both_words(native: str, reason: str) -> None:
    finish = next(e for e in told(start(), *end(native, "three")) if isinstance(e, Finish))
    assert (finish.reason, finish.native, finish.stop_sequence) == (reason, native, "three")


def test_cached_tokens_are_part_of_the_input() -> None:
    usage = answered(read(b"".join(STREAMS["cache"]))).usage
    assert usage is not None
    assert (usage.input, usage.output, usage.cache_read, usage.cache_write) == (2103, 15, 2000, 100)
    assert usage.native["service_tier"] == "standard"
    thinking = answered(read(b"".join(STREAMS["thinking"]))).usage
    assert thinking is not None
    assert (thinking.reasoning, thinking.cache_read) == (9, None)


def test_what_the_upstreams_own_tools_do_keeps_its_place() -> None:
    events = [e for e in stream(*STREAMS["server_tool"]) if not isinstance(e, Opaque) or "tool" in e.kind]
    assert [e.kind if isinstance(e, Opaque) else type(e).__name__ for e in events] == [
        "Start",
        "Usage",
        "Text",
        *["server_tool_use"] * 3,
        *["web_search_tool_result"] * 2,
        "Text",
        "Usage",
        "Finish",
        "End",
    ]


def test_events_that_nobody_knows_say_nothing() -> None:
    unknown = event("content_block_delta", index=0, delta={"type": "future_delta", "x": 1})
    assert told(start(), *text(0, "a"), event("future", delta="odd", index=None), unknown, PING)[2:] == [
        Text(text="a", part=0)
    ]


@pytest.mark.parametrize(
    ("error", "status", "retryable"),
    [
        ({"type": "overloaded_error", "message": "Overloaded"}, 529, True),
        ({"type": "rate_limit_error", "message": "Slow down"}, 429, True),
        ({"type": "invalid_request_error", "message": "No"}, 400, False),
        ({"type": "new_error", "message": "New"}, 502, True),
        ("just words", 502, True),
    ],
)
def test_an_error_in_the_stream_has_the_status_of_its_kind(error: Any, status: int, retryable: bool) -> None:
    (failure,) = read(event("error", error=error))
    assert isinstance(failure, Failure)
    assert (failure.status, failure.retryable, failure.native) == (status, retryable, error)
    assert failure.message == (error["message"] if isinstance(error, dict) else error)


def test_an_error_without_its_event_name_is_one() -> None:
    (failure,) = read(b'data: {"error": {"type": "overloaded_error", "message": "Overloaded"}}\n\n')
    assert isinstance(failure, Failure)
    assert failure.status == 529


def test_event_names_may_be_missing() -> None:
    bare = b"".join(b"data: " + piece.partition(b"data: ")[2] for piece in STREAMS["parallel_tools"])
    assert answered(read(bare)).collected.message() == message("parallel_tools").message()  # type: ignore[union-attr]


@pytest.mark.parametrize("data", [b'{"type":', b"[1]", b'{"type": "ping", "x": "\xff"}', b'{"a": "\xc3"}', b"nonsense"])
def test_what_is_no_json_breaks_the_stream(data: bytes) -> None:
    (failure,) = MESSAGES.reader().read(Frame(b"", data, "ping"))
    assert isinstance(failure, Failure)
    assert failure.code == "upstream_protocol"


def test_a_delta_of_another_shape_breaks_the_stream_instead_of_losing_text() -> None:
    delta = event("content_block_delta", index=0, delta={"type": "text_delta", "text": ["a"]})
    assert isinstance(read(start() + delta)[-1], Failure)


def test_halves_of_a_surrogate_pair_are_joined_and_lone_ones_replaced() -> None:
    halves = (r'{"type":"text_delta","text":"a\ud83c"}', r'{"type":"text_delta","text":"\udf89b\ud83c"}')
    deltas = [
        b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":' + half.encode() + b"}\n\n"
        for half in halves
    ]
    whole = text(0)
    events = told(start(), whole[0], *deltas, whole[1], *end())
    assert "".join(e.text for e in events if isinstance(e, Text)) == "a\U0001f389b\ufffd"


def test_skimming_sees_ends_usage_and_errors_and_nothing_of_deltas() -> None:
    reader = MESSAGES.reader()
    framing = MESSAGES.framing()
    seen: list[Event] = []
    for frame in framing.feed(b"".join([*STREAMS["parallel_tools"], OVERLOADED])):
        events = reader.skim(frame)
        assert bool(events) is (frame.name != "content_block_delta")
        seen += [e for e in events if not isinstance(e, Opaque)]
    assert [type(e) for e in seen] == [Start, Usage, Usage, Finish, End, Failure]


def test_skimming_still_refuses_what_is_no_json_or_no_text() -> None:
    for data in (b'{"type":"content_block_delta","delta":', b'{"type":"content_block_delta","x":"\xff"}'):
        (failure,) = MESSAGES.reader().skim(Frame(b"", data, "content_block_delta"))
        assert isinstance(failure, Failure)


def test_a_stream_that_is_read_after_it_was_skimmed_tells_the_rest() -> None:
    reader, framing = MESSAGES.reader(), MESSAGES.framing()
    frames = framing.feed(b"".join([start(), *tool(0, "t", "f", '{"a"', ": 1}"), *text(1, "done")]))
    for frame in frames[:3]:
        reader.skim(frame)
    rest = [e for frame in frames[3:] for e in reader.read(frame)]
    assert [e.arguments for e in rest if isinstance(e, ToolCall)] == ['{"a"', ": 1}"]
    assert [e.text for e in rest if isinstance(e, Text)] == ["done"]


def whole(*content: Any, **more: Any) -> bytes:
    said = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": content}
    usage = {"input_tokens": 1, "output_tokens": 2}
    return json.dumps({**said, "stop_reason": "end_turn", "stop_sequence": None, "usage": usage, **more}).encode()


def test_a_whole_message_is_read_like_its_stream() -> None:
    content = (
        {"type": "thinking", "thinking": "hm", "signature": "sig"},
        {"type": "redacted_thinking", "data": "blob"},
        {"type": "text", "text": "It is", "citations": [CITED]},
        {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
        {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1.5}},
    )
    answer = answered(MESSAGES.read_answer(whole(*content, stop_reason="tool_use"), 200))
    assert answer.collected is not None
    assert answer.collected.parts(maker="messages") == {
        0: ReasoningPart(text="hm", signature="sig", maker="messages"),
        1: ReasoningPart(redacted="blob", maker="messages"),
        2: TextPart(text="It is"),
        4: ToolCallPart(id="t", name="f", arguments='{"a": 1.5}'),
    }
    assert [c.part for c in answer.collected.citations[0]] == [2]
    assert (answer.name, answer.finish, answer.ended) == ("msg_1", {0: "tool_calls"}, True)
    assert answer.usage is not None
    assert (answer.usage.input, answer.usage.output) == (1, 2)


def test_a_lone_surrogate_does_not_break_a_whole_message() -> None:
    body = whole({"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}}, {"type": "text", "text": "\ud83d"})
    answer = answered(MESSAGES.read_answer(body, 200))
    assert answer.collected is not None
    assert answer.collected.message().parts == (
        ToolCallPart(id="t", name="f", arguments='{"a":1}'),
        TextPart(text="\ufffd"),
    )


@pytest.mark.parametrize(
    ("body", "status", "told_status"),
    [
        (b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}', 200, 529),
        (b'{"type":"error","error":{"type":"invalid_request_error","message":"No"}}', 418, 418),
        (b"<html>", 200, 502),
        (b"<html>", 503, 503),
        (b'{"object":"chat.completion","choices":[]}', 200, 502),
        (whole(), 500, 500),
    ],
)
def test_another_body_is_a_failure(body: bytes, status: int, told_status: int) -> None:
    (failure,) = MESSAGES.read_answer(body, status)
    assert isinstance(failure, Failure)
    assert failure.status == told_status
