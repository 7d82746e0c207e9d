"""Requests out and whole answers in."""

import json
from typing import Any

import pytest

from gateway.domain import Model, Quirks
from gateway.events import End, Failure, Finish, Reasoning, Refusal, Start, Text, ToolCall, Usage
from gateway.requests import ChatRequest
from gateway.wire.chat import CHAT
from gateway.wire.json import decode_object


def sent(body: bytes, *, keeps_model: bool = False, **model: Any) -> bytes:
    request = ChatRequest(
        dialect="chat", model="name", stream=True, fields=decode_object(body), keeps_model=keeps_model
    )
    return CHAT.write_request(
        request, Model(id="1", name="name", model_id="gpt-x", base_url="http://upstream/v1", **model)
    )


def test_only_the_model_is_replaced_and_bytes_stay() -> None:
    body = b'{"messages": [ {"role":"user", "content":"\\u00e9 \xc3\xa9"} ] ,"model":"name","temperature":0.10,"x":1e3}'
    expected = (
        b'{"messages":[ {"role":"user", "content":"\\u00e9 \xc3\xa9"} ],"model":"gpt-x","temperature":0.10,"x":1e3}'
    )
    assert sent(body) == expected


def test_a_client_that_names_the_upstreams_model_is_obeyed() -> None:
    assert sent(b'{"model":7,"stream":true}', keeps_model=True) == b'{"model":7,"stream":true}'
    assert sent(b'{"stream":true}', keeps_model=True) == b'{"stream":true}'
    assert sent(b'{"stream":true}') == b'{"stream":true,"model":"gpt-x"}'


def test_parameters_are_defaults_only() -> None:
    parameters = {"temperature": 0.5, "top_p": 1, "stop": ["é"]}
    assert sent(b'{"temperature":null}', keeps_model=True, parameters=parameters) == (
        '{"temperature":null,"top_p":1,"stop":["é"]}'.encode()
    )


def test_quirks_omit_and_rename_fields_in_their_place() -> None:
    quirks = Quirks(omit=frozenset({"seed"}), rename={"max_tokens": "max_completion_tokens"})
    assert sent(b'{"max_tokens":5,"seed":1,"n":1}', keeps_model=True, quirks=quirks) == (
        b'{"max_completion_tokens":5,"n":1}'
    )
    both = b'{"max_tokens":5,"max_completion_tokens":6}'
    assert sent(both, keeps_model=True, quirks=quirks) == b'{"max_completion_tokens":6}'


def test_lone_surrogates_go_on_as_they_came() -> None:
    body = rb'{"messages":"\ud83c","\udf89":1}'
    assert sent(body, keeps_model=True) == body


def completion(*choices: Any, **more: Any) -> bytes:
    return json.dumps({"id": "c1", "model": "m", "choices": choices, **more}).encode()


def test_a_completion_becomes_events_up_to_its_end() -> None:
    message = {
        "role": "assistant",
        "content": "text\ud83c",
        "reasoning_content": "hm",
        "refusal": "no",
        "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
    }
    body = completion({"index": 0, "message": message, "finish_reason": "tool_calls"}, usage={"prompt_tokens": 1})
    events = CHAT.read_answer(b"\xef\xbb\xbf" + body, 200)
    assert [type(e) for e in events] == [Start, Reasoning, Text, Refusal, ToolCall, Finish, Usage, End]
    assert isinstance(events[2], Text)
    assert events[2].text == "text\ufffd"


def test_choices_and_legacy_texts_are_read_too() -> None:
    events = CHAT.read_answer(completion({"index": 1, "text": "b"}, {"index": 0, "message": {"content": "a"}}), 200)
    assert [(e.choice, e.text) for e in events if isinstance(e, Text)] == [(1, "b"), (0, "a")]
    assert isinstance(events[-1], End)


def test_an_empty_message_is_a_proper_answer() -> None:
    assert [type(e) for e in CHAT.read_answer(b'{"choices":[{"message":{"content":null}}]}', 200)] == [End]


@pytest.mark.parametrize(
    ("status", "error", "expected"),
    [(200, {"message": "m"}, 502), (200, {"code": 429}, 429), (503, {"code": 429}, 503), (404, "x", 404)],
)
def test_an_error_answer_is_a_failure_with_the_status_that_is_one(status: int, error: Any, expected: int) -> None:
    (failure,) = CHAT.read_answer(json.dumps({"error": error}).encode(), status)
    assert isinstance(failure, Failure)
    assert (failure.status, failure.native) == (expected, error)


OTHER = [b"", b"<html>", b"null", b"[]", b"{}", b'{"choices":[]}', b'{"choices":[{}]}', b'{"choices":[null]}', b"\xff"]
OTHER += [
    b'{"choices":"x"}',
    b'{"choices":[{"message":null}]}',
    b'{"choices":[{"message":{"content":5}}]}',
    b"[" * 100_000,
]


@pytest.mark.parametrize("body", OTHER, ids=range(len(OTHER)))
@pytest.mark.parametrize(("status", "expected"), [(200, 502), (404, 404), (503, 503), (302, 502)])
def test_any_other_body_is_a_failure_that_carries_it(body: bytes, status: int, expected: int) -> None:
    (failure,) = CHAT.read_answer(body, status)
    assert isinstance(failure, Failure)
    assert (failure.status, failure.native) == (expected, body)
