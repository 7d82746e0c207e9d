"""What is read of responses streams and of whole responses."""

import json
from typing import Any

import msgspec
import pytest
from responses_streams import FOUND, ID, STREAMS, USAGE, Script, answered, read, response, verdict

from gateway.events import (
    Citation,
    End,
    Event,
    Failure,
    Finish,
    Opaque,
    Reasoning,
    Refusal,
    Start,
    Text,
    ToolCall,
    Usage,
)
from gateway.wire.responses import RESPONSES


def said(*events: bytes) -> list[Event]:
    """The events that say something, without the frames they came in."""
    told = [event for event in read(b"".join(events)) if not isinstance(event, Opaque)]
    return [msgspec.structs.replace(event, source=None) for event in told]


def whole(**more: Any) -> list[Event]:
    body = {"output": [], "status": "completed", "object": "response", **more}
    return RESPONSES.read_answer(json.dumps(body).encode(), 200)


COUNTED = Usage(input=37, output=11, cache_read=12, reasoning=3, native=USAGE)
START = Start(id=ID, model="gpt-5.1", created=1741290958)


def test_text() -> None:
    assert said(*STREAMS["text"]) == [
        START,
        START,
        Text(text="Hello", part=0),
        Text(text=", café ", part=0),
        Text(text="\U0001f389!", part=0),
        COUNTED,
        Finish(reason="stop", native="completed"),
        End(),
    ]


def test_thinking_is_one_part_whatever_its_summary_is_cut_into_and_is_signed_or_opaque() -> None:
    assert said(*STREAMS["thinking"])[2:9] == [
        Reasoning(text="**Adding", part=0),
        Reasoning(text="** 27", part=0),
        Reasoning(text="\n\n", part=0),
        Reasoning(text="and 453.", part=0),
        Reasoning(part=0, signature="gAAAAABo"),
        Reasoning(part=1, redacted="gAAAAABx"),
        Text(text="It is ", part=2),
    ]


def test_calls() -> None:
    told = [event for event in said(*STREAMS["parallel_tools"]) if isinstance(event, ToolCall | Finish)]
    assert told[:2] == [
        ToolCall(part=1, id="call_a", name="get_weather"),
        ToolCall(part=1, id="call_a", arguments='{"ci'),
    ]
    assert told[-1] == Finish(reason="tool_calls", native="completed")
    custom = [event for event in said(*STREAMS["custom_tool"]) if isinstance(event, ToolCall)]
    assert {event.kind for event in custom} == {"custom"}
    assert "".join(event.arguments for event in custom) == "ls -l"


def test_refusals_sources_and_why_it_stopped() -> None:
    assert Refusal(text="not.", part=0) in said(*STREAMS["refusal"])
    assert Citation(url="https://a.example", title="A", start=0, end=5, part=0, native=FOUND) in said(
        *STREAMS["search"]
    )
    assert Finish(reason="length", native="max_output_tokens") in said(*STREAMS["incomplete"])


def test_what_an_upstreams_own_tools_did_is_opaque() -> None:
    kinds = [event.kind for event in read(b"".join(STREAMS["search"])) if isinstance(event, Opaque)]
    assert kinds[:4] == [
        "web_search_call",
        "response.web_search_call.searching",
        "response.web_search_call.completed",
        "web_search_call",
    ]


def test_what_no_delta_said_is_told_by_the_event_that_repeats_it() -> None:
    for name in STREAMS:
        events = [event for event in STREAMS[name] if b".delta" not in event.partition(b"\n")[0]]
        for kept in (events, [STREAMS[name][0], STREAMS[name][-1]]):
            got, wanted = answered(read(b"".join(kept))), answered(read(b"".join(STREAMS[name])))
            assert got.collected is not None
            assert wanted.collected is not None
            assert got.collected.message() == wanted.collected.message()


def test_an_upstream_that_counts_nothing_is_told_apart_by_ids() -> None:
    lines = []
    for event in STREAMS["parallel_tools"]:
        name, _, data = event.decode().partition("\n")
        value = {k: v for k, v in json.loads(data[6:]).items() if not k.endswith(("_index", "sequence_number"))}
        lines.append(f"{name}\ndata: {json.dumps(value)}\n\n".encode())
    got, wanted = answered(read(b"".join(lines))), answered(read(b"".join(STREAMS["parallel_tools"])))
    assert got.collected is not None
    assert wanted.collected is not None
    assert got.collected.message() == wanted.collected.message()


def test_halves_of_a_sign_are_joined_and_a_lone_one_is_replaced() -> None:
    script = Script()
    place = {"item_id": "msg_0", "output_index": 0, "content_index": 0}
    begun = {"id": "msg_0", "type": "message", "role": "assistant", "content": []}
    pieces = [script.event("response.output_text.delta", **place, delta="?") for _ in range(3)]
    halves = ["\\ud83c", "\\udf89", "\\ud83c"]
    split = [piece.replace(b'"?"', f'"{half}"'.encode()) for piece, half in zip(pieces, halves, strict=True)]
    added = script.event("response.output_item.added", output_index=0, item=begun)
    done = script.event("response.output_item.done", output_index=0, item={**begun, "content": []})
    assert said(added, *split, done) == [Text(text="\U0001f389", part=0), Text(text="\ufffd", part=0)]


@pytest.mark.parametrize("name", STREAMS)
def test_skimming_finds_all_that_must_be_known(name: str) -> None:
    reader, told = RESPONSES.reader(), []
    for frame in RESPONSES.framing().feed(b"".join(STREAMS[name])):
        told += reader.skim(frame)
    kinds = [type(event) for event in told if not isinstance(event, Opaque)]
    assert kinds[-3:] == [Usage, Finish, End]
    assert [event for event in told if isinstance(event, Usage)][-1].input == 37
    assert Text not in kinds
    assert reader.sequence == len(STREAMS[name]) - 1


@pytest.mark.parametrize(
    ("data", "status", "retryable"),
    [
        ({"type": "error", "code": "rate_limit_exceeded", "message": "m", "param": None}, 429, True),
        ({"type": "error", "error": {"type": "invalid_request_error", "message": "m"}}, 400, False),
        ({"type": "response.failed", "response": {"error": {"code": "server_error", "message": "m"}}}, 500, True),
        ({"type": "response.failed", "response": {"error": {"code": "invalid_image", "message": "m"}}}, 400, False),
        ({"error": {"message": "m", "code": 503}}, 503, True),
    ],
)
def test_failures(data: dict[str, Any], status: int, retryable: bool) -> None:
    [failure] = read(b"data: " + json.dumps(data).encode() + b"\n\n")
    assert isinstance(failure, Failure)
    assert (failure.message, failure.status, failure.retryable) == ("m", status, retryable)


@pytest.mark.parametrize("data", [b"{", b"[]", b'{"type":"response.completed"}', b'{"a":"\xff"}'])
def test_an_event_that_cannot_be_read_is_a_failure(data: bytes) -> None:
    for read_one in (RESPONSES.reader().read, RESPONSES.reader().skim):
        [frame] = RESPONSES.framing().feed(b"data: " + data + b"\n\n")
        [failure] = read_one(frame)
        assert isinstance(failure, Failure)
        assert failure.code == "upstream_protocol"


def test_a_stream_without_its_last_event_is_cut() -> None:
    for name, stream in STREAMS.items():
        assert isinstance(verdict(read(b"".join(stream))), End), name
        assert isinstance(verdict(read(b"".join(stream[:-1]))), Failure), name
        assert isinstance(verdict(read(b"".join([*stream[:-1], b"data: [DONE]\n\n"]))), Failure), name


def test_a_whole_response_says_what_its_stream_did() -> None:
    for stream in STREAMS.values():
        value = json.loads(stream[-1].partition(b"data: ")[2])["response"]
        streamed, told = answered(read(b"".join(stream))), answered(whole(**value))
        assert streamed.collected is not None
        assert told.collected is not None
        assert streamed.collected.message() == told.collected.message()
        assert streamed.finish == told.finish
        assert told.name == ID


def test_what_goes_on_in_the_background_is_no_failure_and_has_not_finished() -> None:
    assert whole(status="queued", background=True)[1:] == [End()]
    [failure] = whole(status="in_progress")
    assert isinstance(failure, Failure)


@pytest.mark.parametrize("body", [b"", b"no", b"{}", json.dumps(response("failed", error={"code": "x"})).encode()])
def test_anything_else_is_a_failure_that_carries_it(body: bytes) -> None:
    [failure] = RESPONSES.read_answer(body, 200)
    assert isinstance(failure, Failure)
    assert failure.status == 502
