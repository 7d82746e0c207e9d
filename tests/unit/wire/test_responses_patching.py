"""A whole response of an upstream of the same dialect: it says what plugins made of it, and else stays as it was."""

import json
from collections.abc import Callable
from typing import Any, TypeAlias

import msgspec
import pytest
from responses_streams import Script, answered, response

from gateway.events import Event, Reasoning, Refusal, Text, ToolCall
from gateway.wire.responses import RESPONSES, RESPONSES_CLIENT

REQUEST = RESPONSES_CLIENT.read_request(b'{"model":"m","input":"Hi"}')
Json: TypeAlias = dict[str, Any]
Step: TypeAlias = Callable[[list[Event]], list[Event]]

SILENT: Json = {"id": "rs_1", "type": "reasoning", "summary": []}
SEALED: Json = {**SILENT, "encrypted_content": "gAAA"}
CALL: Json = {"id": "fc_1", "type": "function_call", "call_id": "c1", "name": "f", "arguments": '{"a":1}'}


def said(text: str) -> Json:
    return {"type": "output_text", "text": text, "annotations": [{"type": "url_citation", "url": "https://a.example"}]}


def message(*contents: Json) -> Json:
    return {"id": "msg_1", "type": "message", "status": "completed", "role": "assistant", "content": list(contents)}


def thought(*texts: str, content: str | None = None) -> Json:
    more: Json = {} if content is None else {"content": [{"type": "reasoning_text", "text": content}]}
    return {**SILENT, "summary": [{"type": "summary_text", "text": text} for text in texts], **more}


def whole(output: list[Json], step: Step = list) -> list[Json]:
    """What the client gets of a response that came in one piece."""
    body = json.dumps(response("completed", output)).encode()
    answer = answered(step(RESPONSES.read_answer(body, 200)))
    writer = RESPONSES_CLIENT.writer(REQUEST, "responses")
    got: list[Json] = json.loads(writer.patch_answer(body, answer))["output"]
    return got


def collected(stream: list[bytes], step: Step = list) -> list[Json]:
    """What the client gets of a stream nobody asked for."""
    reader, writer = RESPONSES.reader(), RESPONSES_CLIENT.writer(REQUEST, "responses")
    writer.follow(reader, str)
    events = [event for frame in RESPONSES.framing().feed(b"".join(stream)) for event in reader.read(frame)]
    got: list[Json] = json.loads(writer.answer(answered(step(events))))["output"]
    return got


def redacted(events: list[Event]) -> list[Event]:
    def one(event: Event) -> Event:
        if isinstance(event, Text | Reasoning):
            return msgspec.structs.replace(event, text=event.text.replace("secret", "***"))
        if isinstance(event, ToolCall):
            return msgspec.structs.replace(event, arguments=event.arguments.replace("1", "2"))
        return event

    return [one(event) for event in events]


@pytest.mark.parametrize(
    "output",
    [
        [SILENT, message(said("the answer")), CALL],
        [SEALED, message(said("the answer")), CALL],
        [thought("first", "second", content="thoughts"), CALL, SILENT, message(said("a"), said("b"))],
        [message(said(""), said("the answer")), CALL],
        [message(), message({"type": "output_audio", "data": "x"}, said("the answer"))],
        [{**SILENT, "content": [{"type": "reasoning_text", "text": "thoughts"}]}, message(said("the answer"))],
    ],
)
def test_what_no_plugin_changed_is_as_it_was_behind_items_and_contents_without_words(output: list[Json]) -> None:
    assert whole(output) == output


def test_what_a_plugin_changed_is_in_its_place_behind_items_and_contents_without_words() -> None:
    silent, answer, call = whole([SILENT, message(said(""), said("a secret")), CALL], redacted)
    assert silent == SILENT
    assert [content["text"] for content in answer["content"]] == ["", "a ***"]
    assert call == {**CALL, "arguments": '{"a":2}'}


def test_what_a_plugin_took_out_is_left_out_and_what_it_made_comes_behind() -> None:
    def step(events: list[Event]) -> list[Event]:
        kept = [e for e in events if not isinstance(e, ToolCall | Reasoning)]
        return [*kept[:-1], Text(text="A note.", part=9), kept[-1]]

    silent, answer, note = whole([SILENT, SEALED, thought("hm"), message(said("the answer")), CALL], step)
    assert (silent, answer) == (SILENT, message(said("the answer")))
    assert note["content"][0]["text"] == "A note."


def test_a_text_that_a_plugin_refused_leaves_no_trace() -> None:
    def step(events: list[Event]) -> list[Event]:
        return [Refusal(text="No.", part=event.part) if isinstance(event, Text) else event for event in events]

    [answer] = whole([message(said("a secret"))], step)
    assert answer["content"] == [{"type": "refusal", "refusal": "No."}]


def test_thinking_that_a_plugin_changed_is_told_by_its_summary_alone() -> None:
    [thinking] = whole([thought("a secret", content="the secret itself")], redacted)
    assert thinking == thought("a ***")


def test_a_stream_that_nobody_asked_for_is_the_response_it_ends_with() -> None:
    script = Script()
    stream = [
        *script.begin(),
        *script.thinking(),
        *script.message(),
        *script.search(),
        *script.message("the secret"),
        *script.thinking(("a",), ("b",)),
        *script.call("c1", "f", '{"a":', "1}"),
        *script.end(),
    ]
    assert collected(stream) == script.output
    answer, call = [collected(stream, redacted)[index] for index in (3, 5)]
    assert answer["content"][0]["text"] == "the ***"
    assert call["arguments"] == '{"a":2}'


def test_a_stream_whose_items_go_on_beside_each_other_is_the_response_it_ends_with() -> None:
    script = Script()
    first, second = script.message("the answer"), script.call("c1", "f", "{}")
    stream = [*script.begin(), first[0], *second[:-1], *first[1:], second[-1], *script.end()]
    assert collected(stream) == script.output


def test_words_that_only_the_end_of_a_stream_says_of_an_item_do_not_pass_plugins() -> None:
    script = Script()
    stream = [*script.begin(), *script.thinking(), *script.message()]
    script.output[0] = {**script.output[0], "summary": [{"type": "summary_text", "text": "a secret"}]}
    script.output[1] = {**script.output[1], "content": [said("a secret")]}
    thinking, answer = collected([*stream, *script.end()], redacted)
    assert thinking["summary"] == []
    assert answer["content"][0]["text"] == ""


@pytest.mark.parametrize("whole_body", [True, False], ids=["whole", "streamed"])
def test_a_text_that_an_upstream_tells_twice_is_told_once(whole_body: bool) -> None:
    """Some proxies add the libraries' own convenience to the response; no step has seen it."""
    told = {**response("completed", [message(said("a secret"))]), "output_text": "a secret"}
    writer = RESPONSES_CLIENT.writer(REQUEST, "responses")
    if whole_body:
        body = json.dumps(told).encode()
        got = writer.patch_answer(body, answered(redacted(RESPONSES.read_answer(body, 200))))
    else:
        reader = RESPONSES.reader()
        writer.follow(reader, str)
        frames = RESPONSES.framing().feed(
            b"event: response.completed\ndata: "
            + json.dumps({"type": "response.completed", "sequence_number": 1, "response": told}).encode()
            + b"\n\n"
        )
        got = writer.answer(answered(redacted([event for frame in frames for event in reader.read(frame)])))
    assert b"***" in got
    assert b"secret" not in got
