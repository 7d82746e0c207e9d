"""What a messages client is written: streams, whole messages, and both ways through other dialects."""

import json
from collections.abc import Iterable
from typing import Any

import msgspec
import pytest
from messages_streams import CITED, FOUND, STREAMS, answered, end, event, read, start, text, tool

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
from gateway.prompt import Message, ToolCallPart
from gateway.testing.canned import Said, said
from gateway.wire.chat import CHAT, CHAT_CLIENT
from gateway.wire.messages import MESSAGES, MESSAGES_CLIENT

REQUEST = MESSAGES_CLIENT.read_request(b'{"model":"m","max_tokens":9,"messages":[],"stream":true}')
CHAT_REQUEST = CHAT_CLIENT.read_request(
    b'{"model":"m","messages":[],"stream":true,"stream_options":{"include_usage":true}}'
)
DONE = (Finish(reason="stop"), End())


def written(events: Iterable[Event], upstream: str = "chat") -> bytes:
    return MESSAGES_CLIENT.writer(REQUEST, upstream).write(list(events))


def shown(data: bytes) -> list[dict[str, Any]]:
    """The events of a stream as JSON, each checked against its name."""
    out = []
    for piece in data.decode().split("\n\n")[:-1]:
        name, _, said = piece.partition("\n")
        out.append(json.loads(said.removeprefix("data: ")))
        assert name == f"event: {out[-1]['type']}"
    return out


def blocks(data: bytes) -> list[tuple[str, int, Any]]:
    """Begin, delta and end of each block, shortly."""
    out: list[tuple[str, int, Any]] = []
    for one in shown(data):
        match one:
            case {"type": "content_block_start", "index": index, "content_block": block}:
                out.append(("start", index, block["type"]))
            case {"type": "content_block_delta", "index": index, "delta": delta}:
                out.append(("delta", index, next(v for k, v in delta.items() if k != "type")))
            case {"type": "content_block_stop", "index": index}:
                out.append(("stop", index, None))
    return out


def message(data: bytes) -> Message:
    whole = answered(read(data)).collected
    assert whole is not None
    return whole.message(maker="messages")


def test_a_text_is_one_block_between_its_start_and_its_end() -> None:
    usage = Usage(input=12, output=3, cache_read=8, cache_write=1, reasoning=2)
    events = shown(written([Start(id="c1", model="up"), Text(text="Hel"), Text(text="lo"), usage, *DONE]))
    counted = {
        "input_tokens": 3,
        "cache_creation_input_tokens": 1,
        "cache_read_input_tokens": 8,
        "output_tokens": 3,
        "output_tokens_details": {"thinking_tokens": 2},
    }
    assert events[0]["message"]["id"] == "c1"
    assert events[0]["message"] == {
        "id": "c1",
        "type": "message",
        "role": "assistant",
        "model": "up",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": counted,
    }
    assert [e["type"] for e in events[1:]] == [
        "content_block_start",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert events[-2] == {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn", "stop_sequence": None},
        "usage": counted,
    }


def test_usage_is_nothing_while_it_is_unknown() -> None:
    writer = MESSAGES_CLIENT.writer(REQUEST, "chat")
    first = shown(writer.write([Start(id="c1"), Text(text="a")]))
    assert first[0]["message"]["usage"] == {"input_tokens": 0, "output_tokens": 0}
    last = shown(writer.write([Finish(reason="length"), Usage(input=5, output=1), End()]))
    assert last[-2]["usage"] == {"input_tokens": 5, "output_tokens": 1}
    assert last[-2]["delta"]["stop_reason"] == "max_tokens"


def test_text_and_thinking_end_where_the_part_changes_and_calls_with_the_answer() -> None:
    events = [
        Reasoning(text="hm", part=0),
        Text(text="a", part=1),
        ToolCall(part=2, id="x", name="f", arguments='{"a"'),
        ToolCall(part=3, id="y", name="g", arguments="{"),
        ToolCall(part=2, arguments=":1}"),
        ToolCall(part=3, arguments="}"),
        Text(text="b", part=1),
    ]
    assert blocks(written([*events, Finish(reason="tool_calls"), End()])) == [
        ("start", 0, "thinking"),
        ("delta", 0, "hm"),
        ("delta", 0, "gateway:chat:"),
        ("stop", 0, None),
        ("start", 1, "text"),
        ("delta", 1, "a"),
        ("stop", 1, None),
        ("start", 2, "tool_use"),
        ("delta", 2, '{"a"'),
        ("start", 3, "tool_use"),
        ("delta", 3, "{"),
        ("delta", 2, ":1}"),
        ("delta", 3, "}"),
        ("start", 4, "text"),
        ("delta", 4, "b"),
        ("stop", 4, None),
        ("stop", 2, None),
        ("stop", 3, None),
    ]


def test_the_same_writes_make_the_same_bytes_however_they_are_grouped() -> None:
    events = read(b"".join(STREAMS["parallel_tools"]))
    one, many = (MESSAGES_CLIENT.writer(REQUEST, "messages") for _ in range(2))
    assert one.write(events) == b"".join(many.write([event]) for event in events[:2]) + many.write(events[2:])


@pytest.mark.parametrize(
    ("events", "reason", "sequence"),
    [
        ([Text(text="a"), Finish(reason="stop", native="stop")], "end_turn", None),
        ([Text(text="a"), Finish(reason="stop", stop_sequence="x")], "stop_sequence", "x"),
        ([Refusal(text="no"), Finish(reason="stop", native="stop")], "refusal", None),
        ([ToolCall(id="t", name="f"), Finish(reason="stop", native="stop")], "tool_use", None),
        ([Finish(reason="content_filter")], "refusal", None),
        ([Finish(reason="pause")], "pause_turn", None),
        ([Text(text="a")], "end_turn", None),
    ],
)
def test_how_it_stopped(events: list[Event], reason: str, sequence: str | None) -> None:
    delta = shown(written([*events, End()]))[-2]["delta"]
    assert delta == {"stop_reason": reason, "stop_sequence": sequence}


def test_what_has_no_place_is_counted() -> None:
    writer = MESSAGES_CLIENT.writer(REQUEST, "chat")
    writer.write(
        [
            Text(text="a"),
            Text(text="b", choice=1),
            Citation(title="no address"),
            ToolCall(id="c", name="f", kind="custom", arguments="free"),
            *DONE,
        ]
    )
    assert writer.dropped == {"choice": 1, "citation": 1, "custom": 1}


@pytest.mark.parametrize("before", [[], [Text(text="a")], [Reasoning(text="hm")]])
def test_the_signature_of_a_call_is_that_of_the_thinking_before(before: list[Event]) -> None:
    events = [*before, ToolCall(id="t", name="g", signature="proof"), ToolCall(id="u", name="g"), *DONE]
    writer = MESSAGES_CLIENT.writer(REQUEST, "gemini.generate")
    data = writer.write(events)
    kinds = [e["content_block"]["type"] for e in shown(data) if e["type"] == "content_block_start"]
    assert kinds == [*(["text"] if any(isinstance(e, Text) for e in before) else []), "thinking", *["tool_use"] * 2]
    proofs = [e["delta"]["signature"] for e in shown(data) if "signature" in e.get("delta", {})]
    assert proofs == ["gateway:gemini.generate:proof"]
    assert not writer.dropped


def test_a_citation_of_another_dialect_is_a_page_of_the_web() -> None:
    data = written([Text(text="a"), Citation(url="https://a.example", title="A", quote="q"), *DONE])
    cited = next(e["delta"]["citation"] for e in shown(data) if "citation" in e.get("delta", {}))
    assert cited == {
        "type": "web_search_result_location",
        "url": "https://a.example",
        "title": "A",
        "cited_text": "q",
        "encrypted_index": "",
    }


@pytest.mark.parametrize(
    ("failure", "upstream", "kind"),
    [
        (Failure(code="idle_timeout", message="Silent.", status=504), "chat", "timeout_error"),
        (Failure(code="upstream_truncated", message="Cut.", status=502), "chat", "api_error"),
        (
            Failure(code="upstream_error", message="x", status=429, native={"type": "odd"}),
            "messages",
            "rate_limit_error",
        ),
        (
            Failure(code="upstream_error", message="x", status=502, native={"type": "overloaded_error"}),
            "messages",
            "overloaded_error",
        ),
    ],
)
def test_a_broken_stream_ends_with_an_error_event(failure: Failure, upstream: str, kind: str) -> None:
    (told,) = shown(MESSAGES_CLIENT.writer(REQUEST, upstream).failure(failure))
    details = {"error_code": failure.code}
    assert told == {"type": "error", "error": {"type": kind, "message": failure.message, "details": details}}


def test_the_end_marker_and_the_ping_are_events() -> None:
    writer = MESSAGES_CLIENT.writer(REQUEST, "messages")
    assert shown(writer.end_marker) == [{"type": "message_stop"}]
    assert shown(writer.ping) == [{"type": "ping"}]


@pytest.mark.parametrize("name", STREAMS)
def test_a_messages_stream_written_anew_tells_the_same(name: str) -> None:
    before = b"".join(piece for piece in STREAMS[name] if b"event: ping" not in piece)
    after = written(read(before), "messages")
    assert message(after) == message(before)
    first, second = answered(read(before)), answered(read(after))
    assert (first.finished[0].native, first.finished[0].stop_sequence) == (
        second.finished[0].native,
        second.finished[0].stop_sequence,
    )
    assert first.usage is not None
    assert second.usage is not None
    assert first.usage.native == second.usage.native
    assert [c.native for c in cited(first)] == [c.native for c in cited(second)]
    assert foreign(before) == foreign(after)


def cited(answer: Any) -> list[Citation]:
    return list(answer.collected.citations.get(0, ()))


def foreign(data: bytes) -> list[Any]:
    """The frames of the upstream's own tools, without their indices."""
    kept = [e for e in read(data) if isinstance(e, Opaque) and "tool" in e.kind]
    return [{**json.loads(e.source.data or b""), "index": 0} for e in kept if e.source is not None]


def test_a_call_keeps_what_only_this_dialect_says_of_it() -> None:
    called = {"caller": {"type": "direct"}, "toolset_name": "browser"}
    data = written(read(b"".join([start(), *tool(0, "t", "f", "{}", **called), *end("tool_use")])), "messages")
    assert called.items() <= shown(data)[1]["content_block"].items()


def test_how_a_refusal_came_about_is_kept() -> None:
    details = {"type": "refusal", "category": "cyber", "explanation": None}
    delta = {"stop_reason": "refusal", "stop_sequence": None, "stop_details": details}
    last = event("message_delta", delta=delta, usage={"output_tokens": 1}) + event("message_stop")
    assert shown(written(read(start() + b"".join(text(0, "I")) + last), "messages"))[-2]["delta"] == delta


@pytest.mark.parametrize("name", [name for name in STREAMS if name not in ("server_tool", "interleaved")])
def test_messages_through_chat_and_back_tell_the_same(name: str) -> None:
    before = read(b"".join(STREAMS[name]))
    chat = CHAT_CLIENT.writer(CHAT_REQUEST, "messages").write(before)
    assert without_ending(said(read(chat, CHAT))) == without_ending(said(before))


@pytest.mark.parametrize("name", STREAMS)
def test_chat_through_messages_tells_the_same(name: str) -> None:
    chat = read(CHAT_CLIENT.writer(CHAT_REQUEST, "messages").write(read(b"".join(STREAMS[name]))), CHAT)
    again = said(read(written(chat, "chat")))
    assert without_ending(again) == without_ending(said(chat))


def without_ending(told: Said) -> Said:
    """Without how it stopped: chat has fewer words for it."""
    return msgspec.structs.replace(told, finish="")


def test_a_whole_message_says_what_its_stream_says() -> None:
    for name in STREAMS:
        answer = answered(read(b"".join(STREAMS[name])))
        body = MESSAGES_CLIENT.writer(REQUEST, "messages").answer(answer)
        again = answered(MESSAGES.read_answer(body, 200))
        assert again.collected is not None
        assert spelled(again.collected.message(maker="messages")) == spelled(message(b"".join(STREAMS[name]))), name
        assert again.finished[0].native == answer.finished[0].native
        assert [c.native for c in cited(again)] == [c.native for c in cited(answer)]
        assert again.usage == answer.usage or again.usage is not None


def spelled(message: Message) -> list[Any]:
    """Its parts, with the arguments of calls in one spelling."""
    replace = msgspec.structs.replace
    return [
        replace(part, arguments=json.dumps(json.loads(part.arguments))) if isinstance(part, ToolCallPart) else part
        for part in message.parts
    ]


def test_a_whole_answer_of_another_dialect() -> None:
    events = [
        Start(id="c1", model="up"),
        Reasoning(text="hm"),
        Text(text="Hi."),
        Citation(url="https://a.example"),
        ToolCall(id="t", name="f", arguments='{"a":1}'),
        ToolCall(id="u", name="g", arguments="{broken"),
        Finish(reason="tool_calls"),
        Usage(input=3, output=4),
        End(),
    ]
    body = json.loads(MESSAGES_CLIENT.writer(REQUEST, "chat").answer(answered(events, "chat")))
    thinking, said_text, call, broken = body["content"]
    assert thinking == {"type": "thinking", "thinking": "hm", "signature": "gateway:chat:"}
    assert (said_text["text"], len(said_text["citations"])) == ("Hi.", 1)
    assert call == {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}}
    assert broken["input"] == {"arguments": "{broken"}
    assert (body["id"], body["model"], body["stop_reason"]) == ("c1", "up", "tool_use")
    assert body["usage"] == {"input_tokens": 3, "output_tokens": 4}


def test_a_changed_whole_message_keeps_what_nobody_changed() -> None:
    content = [
        {"type": "text", "text": "a secret", "citations": [CITED]},
        {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"q": 1}},
        {"type": "text", "text": "public", "citations": [FOUND]},
        {"type": "tool_use", "id": "t", "name": "f", "input": {}, "caller": {"type": "direct"}},
    ]
    more = {"container": {"id": "c"}, "stop_details": None}
    usage = {"input_tokens": 1, "output_tokens": 2}
    whole = {"id": "m", "type": "message", "model": "m", "stop_reason": "tool_use", **more, "usage": usage}
    body = json.dumps({**whole, "content": content}).encode()
    events = MESSAGES.read_answer(body, 200)
    changed = [Text(text="a ***", part=0) if isinstance(e, Text) and e.part == 0 else e for e in events]
    patched = json.loads(MESSAGES_CLIENT.writer(REQUEST, "messages").patch_answer(body, answered(changed)))
    assert patched["content"][1:] == content[1:]
    assert patched["content"][0]["text"] == "a ***"
    assert {name: patched[name] for name in more} == more


def test_thinking_of_another_maker_is_marked_for_the_way_back() -> None:
    data = written([Reasoning(text="hm", signature="proof"), Reasoning(redacted="blob"), *DONE], "gemini.generate")
    assert message(data).parts[0].signature == "gateway:gemini.generate:proof"  # type: ignore[union-attr]
    assert message(data).parts[1].redacted == "gateway:gemini.generate:blob"  # type: ignore[union-attr]
