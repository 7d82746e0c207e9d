"""What a client of responses is written: for upstreams of its own dialect the same, for others what its SDK reads."""

import json
from typing import Any

import pytest
from responses_streams import ID, STREAMS, Script, answered, read

from gateway.events import Citation, End, Event, Failure, Finish, Reasoning, Refusal, Start, Text, ToolCall, Usage
from gateway.wire.chat import CHAT, CHAT_CLIENT
from gateway.wire.messages import MESSAGES, MESSAGES_CLIENT
from gateway.wire.responses import RESPONSES, RESPONSES_CLIENT

REQUEST = RESPONSES_CLIENT.read_request(
    b'{"model":"m","input":"Hi","stream":true,"temperature":0.50,"tools":[{"type":"function","name":"f"}]}'
)
EVENTS: tuple[Event, ...] = (
    Start(id="c1", model="up", created=5),
    Reasoning(text="Let me ", part=0),
    Reasoning(text="think.", part=0, signature="proof"),
    Text(text="It is ", part=1, logprobs={"content": [{"token": "It", "logprob": -1}]}),
    Text(text="\U0001f389.", part=1),
    Citation(url="https://a.example", title="A", part=1),
    Citation(quote="no place", part=1),
    ToolCall(part=2, id="t1", name="f", arguments='{"city": "R'),
    ToolCall(part=3, id="t2", name="g", kind="custom"),
    ToolCall(part=2, arguments='om"}'),
    ToolCall(part=3, kind="custom", arguments="ls"),
    Usage(input=20, output=7, cache_read=12, reasoning=3),
    Finish(reason="tool_calls", native="tool_calls"),
    End(),
)


def written(*events: Event, upstream: str = "chat") -> list[dict[str, Any]]:
    writer = RESPONSES_CLIENT.writer(REQUEST, upstream)
    return told(b"".join(writer.write([event]) for event in events))


def told(data: bytes) -> list[dict[str, Any]]:
    """The events, whose names are said twice."""
    out = []
    for event in data.split(b"\n\n")[:-1]:
        name, _, said = event.partition(b"\n")
        out.append(json.loads(said.removeprefix(b"data: ")))
        assert name == b"event: " + out[-1]["type"].encode()
    return out


@pytest.mark.parametrize("name", STREAMS)
def test_an_answer_of_its_own_dialect_is_written_as_it_came(name: str) -> None:
    for pieces in (STREAMS[name], [b"".join(STREAMS[name])]):
        reader, framing = RESPONSES.reader(), RESPONSES.framing()
        writer = RESPONSES_CLIENT.writer(REQUEST, "responses")
        writer.follow(reader, lambda id: f"named-{id}")
        out = b""
        for piece in pieces:
            out += writer.write([event for frame in framing.feed(piece) for event in reader.read(frame)])
        for one, other in zip(_without_calls(out), _without_calls(b"".join(STREAMS[name])), strict=True):
            if "response" in other:
                assert one["response"].pop("id") == f"named-{other['response'].pop('id')}"
            assert one == other


def _without_calls(data: bytes) -> list[dict[str, Any]]:
    """The events but for the ends of calls, which come with the answer's, and the numbers that hang on them."""
    kept = [e for e in told(data) if not (e["type"].endswith(".done") and ("arguments" in e or "input" in e))]
    kept = [e for e in kept if e["type"] != "response.output_item.done" or "call_id" not in e["item"]]
    return [{name: said for name, said in e.items() if name != "sequence_number"} for e in kept]


def test_every_event_is_numbered_and_everything_that_began_ends_with_the_whole_of_it() -> None:
    events = written(*EVENTS)
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert [event["type"] for event in events[:2]] == ["response.created", "response.in_progress"]
    done = {event["output_index"]: event["item"] for event in events if event["type"] == "response.output_item.done"}
    last = events[-1]["response"]
    assert last["output"] == [done[index] for index in range(4)]
    thinking, message, call, custom = last["output"]
    assert thinking["summary"] == [{"type": "summary_text", "text": "Let me think."}]
    assert thinking["encrypted_content"] == "gateway:chat:proof"
    [content] = message["content"]
    assert (content["text"], content["logprobs"]) == ("It is \U0001f389.", [{"token": "It", "logprob": -1}])
    assert content["annotations"] == [
        {"type": "url_citation", "url": "https://a.example", "title": "A", "start_index": 0, "end_index": 8}
    ]
    assert (call["call_id"], call["name"], call["arguments"]) == ("t1", "f", '{"city": "Rom"}')
    assert (custom["type"], custom["call_id"], custom["input"]) == ("custom_tool_call", "t2", "ls")
    assert (last["model"], last["created_at"], last["store"], last["status"]) == ("up", 5, False, "completed")
    assert (last["temperature"], last["tools"]) == (0.5, [{"type": "function", "name": "f"}])
    assert last["usage"] == {
        "input_tokens": 20,
        "input_tokens_details": {"cached_tokens": 12, "cache_write_tokens": 0},
        "output_tokens": 7,
        "output_tokens_details": {"reasoning_tokens": 3},
        "total_tokens": 27,
    }


def test_what_has_no_place_is_counted() -> None:
    writer = RESPONSES_CLIENT.writer(REQUEST, "chat")
    writer.write([*EVENTS[:-2], Text(text="second", choice=1)])
    assert writer.dropped == {"citation": 1, "choice": 1}


@pytest.mark.parametrize(
    ("finish", "status", "reason"),
    [
        (Finish(reason="stop"), "completed", None),
        (Finish(reason="length", native="length"), "incomplete", "max_output_tokens"),
        (Finish(reason="content_filter"), "incomplete", "content_filter"),
        (Finish(reason="pause"), "completed", None),
    ],
)
def test_how_it_stopped(finish: Finish, status: str, reason: str | None) -> None:
    *_, item, last = written(Text(text="x"), finish, End())
    assert (last["type"], last["response"]["status"]) == (f"response.{status}", status)
    assert (last["response"]["incomplete_details"] or {}).get("reason") == reason
    assert item["item"]["status"] == status


def test_texts_that_follow_each_other_are_one_message() -> None:
    told = written(Text(text="a", part=0), Text(text="b", part=1), Refusal(text="c", part=2), End())[-1]["response"]
    [message] = told["output"]
    assert [content.get("text", content.get("refusal")) for content in message["content"]] == ["a", "b", "c"]


def test_more_of_a_text_that_has_ended_begins_a_new_one() -> None:
    told = written(Text(text="a", part=0), Reasoning(text="hm", part=1), Text(text="b", part=0), End())[-1]["response"]
    assert [item["type"] for item in told["output"]] == ["message", "reasoning", "message"]


def test_an_empty_answer_is_a_response() -> None:
    events = written(End())
    assert [event["type"] for event in events] == ["response.created", "response.in_progress", "response.completed"]
    assert (events[-1]["response"]["output"], events[-1]["response"]["usage"]) == ([], None)


def test_a_failure_needs_nothing_before_it_and_says_what_the_upstream_did() -> None:
    writer = RESPONSES_CLIENT.writer(REQUEST, "messages")
    native = {"type": "overloaded_error", "message": "Overloaded"}
    error, failed = told(writer.failure(Failure(code="upstream_error", message="Overloaded", native=native)))
    assert (error["type"], error["code"], error["message"]) == ("error", "upstream_error", "Overloaded")
    assert error["error"] == {
        "type": "overloaded_error",
        "code": "upstream_error",
        "message": "Overloaded",
        "param": None,
    }
    assert failed["response"]["error"] == {"code": "upstream_error", "message": "Overloaded"}


def test_a_failure_behind_bytes_that_passed_is_numbered_behind_them_and_names_their_response() -> None:
    reader, writer = RESPONSES.reader(), RESPONSES_CLIENT.writer(REQUEST, "responses")
    writer.follow(reader, str)
    for frame in RESPONSES.framing().feed(b"".join(STREAMS["text"][:6])):
        reader.skim(frame)
    error, failed = told(writer.failure(Failure(code="upstream_truncated", message="Cut.")))
    assert (error["sequence_number"], failed["sequence_number"]) == (6, 7)
    assert failed["response"]["id"] == ID


def test_the_same_answer_comes_through_other_dialects_and_back() -> None:
    for dialect, client, body in (
        (CHAT, CHAT_CLIENT, b'{"model":"m","messages":[],"stream":true,"stream_options":{"include_usage":true}}'),
        (MESSAGES, MESSAGES_CLIENT, b'{"model":"m","max_tokens":9,"messages":[],"stream":true}'),
    ):
        there = client.writer(client.read_request(body), "responses")
        through = there.write(read(b"".join(STREAMS["everything"])))
        back = RESPONSES_CLIENT.writer(REQUEST, dialect.name)
        again = answered(read(back.write(read(through, dialect))))
        wanted = answered(read(b"".join(STREAMS["everything"])))
        assert again.collected is not None
        assert wanted.collected is not None
        for one, other in zip(again.collected.message().parts, wanted.collected.message().parts, strict=True):
            assert getattr(one, "text", None) == getattr(other, "text", None)
            assert getattr(one, "arguments", None) == getattr(other, "arguments", None)
        assert again.usage is not None
        assert (again.usage.input, again.usage.output, again.usage.cache_read) == (37, 11, 12)
        assert again.finish == wanted.finish


def test_a_whole_answer_is_what_its_stream_says_at_its_end() -> None:
    streamed = written(*EVENTS)[-1]["response"]
    writer = RESPONSES_CLIENT.writer(REQUEST, "chat")
    whole = json.loads(writer.answer(answered(EVENTS, "chat")))
    for said in (streamed, whole):
        said.pop("id")
        for item in said["output"]:
            item.pop("id")
    assert whole == streamed


def test_a_whole_response_keeps_what_plugins_have_not_changed() -> None:
    body = json.loads(STREAMS["search"][-1].partition(b"data: ")[2])["response"]
    answer = answered(RESPONSES.read_answer(json.dumps(body).encode(), 200))
    writer = RESPONSES_CLIENT.writer(REQUEST, "responses")
    assert json.loads(writer.patch_answer(json.dumps(body).encode(), answer)) == body
    changed = answered([Text(text="Rain.", part=0), End()])
    patched = json.loads(writer.patch_answer(json.dumps(body).encode(), changed))
    assert patched["output"][0] == body["output"][0]
    assert patched["output"][1]["content"] == [
        {"type": "output_text", "text": "Rain.", "annotations": [], "logprobs": []}
    ]


def test_a_redactor_that_holds_text_back_leaves_no_trace_of_it() -> None:
    script = Script()
    stream = [*script.begin(), *script.message("my secret", " is 42"), *script.end()]
    reader, writer = RESPONSES.reader(), RESPONSES_CLIENT.writer(REQUEST, "responses")
    writer.follow(reader, str)
    out = b""
    for frame in RESPONSES.framing().feed(b"".join(stream)):
        out += writer.write([Text(text="x", part=0) if isinstance(e, Text) else e for e in reader.read(frame)])
    assert b"secret" not in out
    assert told(out)[-1]["response"]["output"][0]["content"][0]["text"] == "xx"


def test_thinking_that_says_nothing_keeps_its_place_in_a_stream_that_is_written_anew() -> None:
    script = Script()
    stream = [*script.begin(), *script.thinking(), *script.message("Hi"), *script.thinking(), *script.end()]
    reader, writer = RESPONSES.reader(), RESPONSES_CLIENT.writer(REQUEST, "responses")
    writer.follow(reader, str)
    out = b""
    for frame in RESPONSES.framing().feed(b"".join(stream)):
        out += writer.write(reader.read(frame))
    assert told(out) == told(b"".join(stream))
