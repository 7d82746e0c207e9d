"""What the messages of a ConverseStream, and whole answers of Converse, say."""

import json
from typing import Any

import pytest

from gateway import Citation, End, Event, Failure, Finish, Opaque, Reasoning, Text, ToolCall, Usage
from gateway.events import Answer, Cause
from gateway_bedrock.conformance import START, call, delta, end, event, exception, message, stop, text
from gateway_bedrock.dialect import CONVERSE

CITED = {
    "title": "Nature",
    "sourceContent": [{"text": "The grass "}, {"text": "is green."}],
    "location": {"web": {"url": "https://a.example/grass", "domain": "a.example"}},
}


def read(*writes: bytes) -> list[Event]:
    reader = CONVERSE.reader()
    return [event for frame in CONVERSE.framing().feed(b"".join(writes)) for event in reader.read(frame)]


def told(events: list[Event]) -> list[Event]:
    return [event for event in events if not isinstance(event, Opaque)]


def of(kind: Any, events: list[Event]) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


def test_usage_comes_after_the_stop_and_is_the_end() -> None:
    events = told(read(START, *text(0, "Hi"), *end(cacheReadInputTokens=100, cacheWriteInputTokens=20)))
    assert [type(event) for event in events] == [Text, Finish, Usage, End]
    usage = of(Usage, events)[0]
    assert (usage.input, usage.output, usage.cache_read, usage.cache_write) == (131, 7, 100, 20)
    assert usage.native["totalTokens"] == 18


def test_thinking_has_its_signature_and_what_is_redacted_stays_opaque() -> None:
    thoughts = of(
        Reasoning,
        read(
            delta(0, reasoningContent={"text": "Hm."}),
            delta(0, reasoningContent={"signature": "c2ln"}),
            stop(0),
            delta(1, reasoningContent={"redactedContent": "b3BhcXVl"}),
            stop(1),
        ),
    )
    assert [(t.text, t.part, t.signature, t.redacted) for t in thoughts] == [
        ("Hm.", 0, None, None),
        ("", 0, "c2ln", None),
        ("", 1, None, "b3BhcXVl"),
    ]


def test_thinking_and_text_of_one_index_are_two_parts() -> None:
    events = told(read(delta(0, reasoningContent={"text": "Hm."}), delta(0, text="Yes.")))
    assert [(type(e), e.part) for e in events] == [(Reasoning, 0), (Text, 1)]


def test_a_call_without_arguments_has_an_empty_object() -> None:
    calls = of(ToolCall, read(START, *call(0, "tooluse_1", "now", ""), *end("tool_use")))
    assert "".join(c.arguments for c in calls) == "{}"
    assert {(c.id, c.part) for c in calls} == {("tooluse_1", 0)}


def test_a_call_whose_block_never_ended_is_complete_at_the_stop() -> None:
    calls = of(ToolCall, read(START, call(0, "tooluse_1", "now")[0], *end("tool_use")))
    assert "".join(c.arguments for c in calls) == "{}"


def test_what_the_upstreams_own_tools_did_has_no_words() -> None:
    begun = {"toolUse": {"toolUseId": "s", "name": "search", "type": "server_tool_use"}}
    events = read(
        event("contentBlockStart", contentBlockIndex=0, start=begun),
        delta(0, toolUse={"input": "{}"}),
        stop(0),
        *text(1, "Found."),
    )
    assert [type(e) for e in told(events)] == [Text]
    assert of(Opaque, events)


def test_a_thinking_or_a_text_may_be_announced() -> None:
    def begun(index: int, **start: Any) -> bytes:
        return event("contentBlockStart", contentBlockIndex=index, start=start)

    thought = delta(0, reasoningContent={"text": "Hm."})
    events = told(read(begun(0, reasoningContent={}), thought, stop(0), begun(1, text=""), *text(1, "Yes.")))
    assert [type(e) for e in events] == [Reasoning, Text]


@pytest.mark.parametrize("start", [{"image": {"format": "png"}}, {"toolResult": {"toolUseId": "t"}}])
def test_blocks_without_words_of_ours_say_nothing_until_they_end(start: dict[str, Any]) -> None:
    begun = event("contentBlockStart", contentBlockIndex=0, start=start)
    assert told(read(begun, delta(0, text="x"), stop(0), *text(0, "Yes.")))[0].text == "Yes."  # type: ignore[attr-defined]


def test_a_citation_belongs_to_its_text() -> None:
    [said, cited] = told(read(delta(1, text="Green"), delta(1, citation=CITED)))
    assert isinstance(cited, Citation)
    assert isinstance(said, Text)
    assert (cited.url, cited.title, cited.quote) == ("https://a.example/grass", "Nature", "The grass is green.")
    assert cited.part == said.part


def test_halves_of_surrogate_pairs_are_joined() -> None:
    pieces = [b'"\\ud83c"', b'"\\udf89 a\\ud83c"', b'"b"']
    headers = {":event-type": "contentBlockDelta", ":message-type": "event"}
    writes = [message(headers, b'{"contentBlockIndex":0,"delta":{"text":' + piece + b"}}") for piece in pieces]
    assert "".join(t.text for t in of(Text, read(*writes, stop(0)))) == "\U0001f389 a\ufffdb"
    assert "".join(t.text for t in of(Text, read(writes[0], stop(0)))) == "\ufffd"


@pytest.mark.parametrize(
    ("reason", "word"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("tool_use", "tool_calls"),
        ("guardrail_intervened", "content_filter"),
        ("content_filtered", "content_filter"),
        ("malformed_tool_use", "error"),
        ("something_new", "other"),
    ],
)
def test_every_stop_has_a_word(reason: str, word: str) -> None:
    finish = of(Finish, read(event("messageStop", stopReason=reason)))[0]
    assert (finish.reason, finish.native) == (word, reason)


def test_the_stop_sequence_is_told() -> None:
    stopped = event("messageStop", stopReason="stop_sequence", additionalModelResponseFields={"stop_sequence": "END"})
    assert of(Finish, read(stopped))[0].stop_sequence == "END"


@pytest.mark.parametrize(
    ("kind", "status", "retryable"),
    [
        ("throttlingException", 429, True),
        ("modelStreamErrorException", 424, True),
        ("validationException", 400, False),
        ("internalServerException", 500, True),
        ("serviceUnavailableException", 503, True),
        ("modelTimeoutException", 408, True),
        ("accessDeniedException", 403, False),
        ("somethingNewException", 502, True),
    ],
)
def test_an_exception_in_a_stream_is_a_failure_with_its_status(kind: str, status: int, retryable: bool) -> None:
    for before in ((), (START, delta(0, text="Hi"))):
        failure = read(*before, exception(kind, "Oh no."))[-1]
        assert isinstance(failure, Failure)
        assert (failure.status, failure.retryable, failure.message) == (status, retryable, "Oh no.")


def test_an_error_without_a_payload_is_a_failure() -> None:
    headers = {":message-type": "error", ":error-code": "InternalError", ":error-message": "Gone."}
    [failure] = read(message(headers, b""))
    assert isinstance(failure, Failure)
    assert (failure.status, failure.message) == (502, "Gone.")


def test_an_event_that_is_no_json_is_a_failure() -> None:
    [failure] = read(message({":event-type": "messageStop", ":message-type": "event"}, b"{"))
    assert isinstance(failure, Failure)
    assert failure.code == "upstream_protocol"


def test_a_stream_that_ends_before_its_stop_was_cut() -> None:
    answer = Answer(dialect="converse")
    for said in read(START, *text(0, "Hi")):
        answer.note(said)
    assert isinstance(answer.verdict(Cause.EOF), Failure)


def test_a_whole_answer_says_what_a_stream_says() -> None:
    content = [
        {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "c2ln"}}},
        {"reasoningContent": {"redactedContent": "b3BhcXVl"}},
        {"text": "Hi"},
        {"citationsContent": {"content": [{"text": "Green"}], "citations": [CITED]}},
        {"toolUse": {"toolUseId": "t", "name": "f", "input": {"a": [1, 2.5]}}},
        {"image": {"format": "png"}},
    ]
    body = {
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": "tool_use",
        "usage": {"inputTokens": 3, "outputTokens": 4, "totalTokens": 7},
    }
    events = CONVERSE.read_answer(json.dumps(body).encode(), 200)
    assert [type(e) for e in events] == [Reasoning, Reasoning, Text, Text, Citation, ToolCall, Usage, Finish, End]
    assert [e.part for e in events[:6]] == [0, 1, 2, 3, 3, 4]  # type: ignore[attr-defined]
    assert of(ToolCall, events)[0].arguments == '{"a":[1,2.5]}'
    assert of(Finish, events)[0].reason == "tool_calls"


@pytest.mark.parametrize(
    ("body", "status", "code", "told_status"),
    [
        (b'{"message":"Too many."}', 429, "upstream_error", 429),
        (b'{"__type":"com.amazon#ThrottlingException","message":"Too many."}', 200, "upstream_error", 429),
        (b"<html>", 200, "upstream_protocol", 502),
        (b'{"output":1}', 503, "upstream_protocol", 503),
    ],
)
def test_what_is_no_answer_is_one_failure(body: bytes, status: int, code: str, told_status: int) -> None:
    [failure] = CONVERSE.read_answer(body, status)
    assert isinstance(failure, Failure)
    assert (failure.code, failure.status) == (code, told_status)
