"""What Cohere is asked, and what its events say."""

import json
from typing import Any

import msgspec
import pytest
from replay import replayed

from gateway import (
    ChatRequest,
    Citation,
    End,
    Event,
    Failure,
    Finish,
    InvalidRequest,
    Model,
    Reasoning,
    Start,
    Text,
    ToolCall,
    Usage,
)
from gateway.secrets import Secret
from gateway.testing.asked import chat_request
from gateway.testing.canned import Canned
from gateway.wire.messages import MESSAGES_CLIENT
from gateway_cohere.conformance import CONFORMANCE, START, call, end, event, message, text, thinking
from gateway_cohere.dialect import COHERE
from gateway_cohere.provider import CohereProvider

CHAT = chat_request("m")
CALL = {"id": "w_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Rome"}'}}
TOOLS = [{"type": "function", "function": {"name": name, "description": "D."}} for name in ("a", "b")]
CITED = {
    "start": 0,
    "end": 5,
    "text": "Green",
    "sources": [
        {
            "type": "document",
            "id": "d1",
            "document": {"title": "Grass", "url": "https://a.example", "snippet": "It is."},
        },
        {"type": "tool", "id": "t:0", "tool_output": {"text": "green"}},
    ],
    "type": "TEXT_CONTENT",
}


def model(base_url: str = "", **fields: Any) -> Model:
    return Model(id="1", name="m", provider="cohere", base_url=base_url, model_id="command-a", **fields)


def sent(request: ChatRequest, to: Model | None = None) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(COHERE.write_request(request, to or model()))
    return body


def chat(*messages: dict[str, Any], **fields: Any) -> ChatRequest:
    return chat_request("m", messages=list(messages) or [{"role": "user", "content": "Hi"}], **fields)


def read(*writes: bytes) -> list[Event]:
    reader = COHERE.reader()
    return [event for frame in COHERE.framing().feed(b"".join(writes)) for event in reader.read(frame)]


def of(kind: Any, events: list[Event]) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


# -- where it goes --


@pytest.mark.parametrize(
    "base_url",
    ["", "https://api.cohere.com", "https://api.cohere.com/v2/", "https://api.cohere.com/compatibility/v1"],
)
def test_base_urls_may_have_their_version_or_not(base_url: str) -> None:
    assert CohereProvider().url(CHAT, model(base_url)) == "https://api.cohere.com/v2/chat"


def test_the_key_is_a_bearer() -> None:
    assert dict(CohereProvider().headers(model(api_key=Secret(" k "))))["authorization"] == "Bearer k"
    assert "authorization" not in dict(CohereProvider().headers(model()))


# -- what it is asked --


def test_a_conversation_with_tools() -> None:
    image = {"type": "image_url", "image_url": {"url": "https://a.example/i.png", "detail": "low"}}
    body = sent(
        chat(
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "Look."}, image]},
            {"role": "assistant", "content": None, "reasoning_content": "I will look.", "tool_calls": [CALL]},
            {"role": "tool", "tool_call_id": "w_1", "content": "sunny"},
            {"role": "assistant", "content": "Sunny.", "reasoning_content": "Hm."},
            tools=TOOLS,
            tool_choice="required",
            temperature=1.5,
            top_p=0.9,
            top_k=3,
            max_tokens=50,
            stop=["END"],
            seed=1,
        )
    )
    assert body["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": "Look."}, image]},
        {"role": "assistant", "tool_plan": "I will look.", "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "w_1", "content": "sunny"},
        {
            "role": "assistant",
            "content": [{"type": "thinking", "thinking": "Hm."}, {"type": "text", "text": "Sunny."}],
        },
    ]
    assert body["tools"][0]["function"] == {
        "name": "a",
        "description": "D.",
        "parameters": {"type": "object", "properties": {}},
    }
    said = {name: value for name, value in body.items() if name not in ("messages", "tools")}
    assert said == {
        "model": "command-a",
        "stream": True,
        "tool_choice": "REQUIRED",
        "temperature": 1.0,
        "p": 0.9,
        "k": 3,
        "max_tokens": 50,
        "stop_sequences": ["END"],
        "seed": 1,
    }


def test_one_tool_is_chosen_by_telling_of_no_other() -> None:
    body = sent(chat(tools=TOOLS, tool_choice={"type": "function", "function": {"name": "b"}}))
    assert ([tool["function"]["name"] for tool in body["tools"]], body["tool_choice"]) == (["b"], "REQUIRED")
    assert sent(chat(tools=TOOLS, tool_choice="none"))["tool_choice"] == "NONE"
    assert "tool_choice" not in sent(chat(tool_choice="required"))


def test_its_own_words_go_along_and_parameters_fill_in() -> None:
    documents = [{"id": "1", "data": {"text": "Grass is green."}}]
    to = model(parameters={"safety_mode": "OFF", "citation_options": {"mode": "FAST"}})
    body = sent(chat(documents=documents, safety_mode="STRICT", thinking={"type": "disabled"}), to)
    assert (body["documents"], body["safety_mode"], body["citation_options"]) == (documents, "STRICT", {"mode": "FAST"})
    assert body["thinking"] == {"type": "disabled"}


@pytest.mark.parametrize(
    ("asked", "thinking"),
    [
        ({"reasoning_effort": "none"}, {"type": "disabled"}),
        ({"reasoning_effort": "low"}, {"type": "enabled", "token_budget": 2048}),
        ({"reasoning_effort": "high"}, {"type": "enabled"}),
        ({}, None),
    ],
)
def test_how_much_to_think(asked: dict[str, Any], thinking: Any) -> None:
    assert sent(chat(**asked)).get("thinking") == thinking


def test_the_budget_of_a_messages_client_is_told_in_cohere_words() -> None:
    asked = {"model": "m", "max_tokens": 9, "messages": [], "thinking": {"type": "enabled", "budget_tokens": 2000}}
    body = sent(MESSAGES_CLIENT.read_request(json.dumps(asked).encode()))
    assert body["thinking"] == {"type": "enabled", "token_budget": 2000}


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"type": "json_object"}, {"type": "json_object"}),
        (
            {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}},
            {"type": "json_object", "json_schema": {"type": "object"}},
        ),
        ({"type": "text"}, None),
    ],
)
def test_the_form_of_the_answer(form: Any, said: Any) -> None:
    assert sent(chat(response_format=form)).get("response_format") == said


def test_what_has_no_place_is_named() -> None:
    asked = chat(logit_bias={}, parallel_tool_calls=False, temperature=2)
    sent(asked)
    assert set(asked.lost) == {"logit_bias", "parallel_tools", "temperature"}
    with pytest.raises(InvalidRequest, match="logit_bias"):
        sent(msgspec.structs.replace(chat(logit_bias={}), strict=True))


@pytest.mark.parametrize(
    "part",
    [
        {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AA=="}},
    ],
)
def test_media_that_cannot_be_given_is_refused(part: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        sent(chat({"role": "user", "content": [part]}))


# -- what its events say --


def test_thinking_text_usage_and_the_end() -> None:
    events = read(START, *thinking(0, "Hm."), *text(1, "Yes."), end())
    said = [e for e in events if type(e).__name__ != "Opaque"]
    assert [type(e) for e in said] == [Start, Reasoning, Text, Usage, Finish, End]
    assert of(Start, events)[0].id == "29f14a5a-11de-4cae-9800-25e4747408ea"
    assert (of(Reasoning, events)[0].part, of(Text, events)[0].part) == (0, 1)


def test_tokens_count_not_what_is_billed() -> None:
    usage = {
        "billed_units": {"input_tokens": 3},
        "tokens": {"input_tokens": 12.0, "output_tokens": 5},
        "cached_tokens": 4,
    }
    told = of(Usage, read(event("message-end", delta={"finish_reason": "COMPLETE", "usage": usage})))[0]
    assert (told.input, told.output, told.cache_read) == (12, 5, 4)
    usage = {"billed_units": {"input_tokens": 3, "output_tokens": 2}}
    told = of(Usage, read(event("message-end", delta={"finish_reason": "COMPLETE", "usage": usage})))[0]
    assert (told.input, told.output) == (3, 2)


def test_a_plan_is_thinking_and_contents_and_calls_are_counted_apart() -> None:
    plan = message("tool-plan-delta", tool_plan="I will.")
    events = read(START, plan, *call(0, "w_1", "weather", '{"a":', "1}"), *call(1, "n_2", "now"), end("TOOL_CALL"))
    calls = of(ToolCall, events)
    assert of(Reasoning, events)[0].text == "I will."
    assert "".join(c.arguments for c in calls if c.id == "w_1") == '{"a":1}'
    assert "".join(c.arguments for c in calls if c.id == "n_2") == "{}"
    assert {(c.id, c.part) for c in calls} == {("w_1", 1), ("n_2", 2)}
    assert of(Finish, events)[0].reason == "tool_calls"


def test_a_citation_is_told_for_each_source_and_belongs_to_its_text() -> None:
    events = read(START, *thinking(0, "Hm."), *text(1, "Green"), message("citation-start", 0, citations=CITED), end())
    first, second = of(Citation, events)
    assert (first.url, first.title, first.quote, first.start, first.end) == (
        "https://a.example",
        "Grass",
        "It is.",
        0,
        5,
    )
    assert (second.url, second.title, second.quote) == (None, "t:0", "green")
    assert first.part == second.part == of(Text, events)[0].part
    assert first.native == CITED


@pytest.mark.parametrize(
    ("reason", "word"),
    [
        ("COMPLETE", "stop"),
        ("STOP_SEQUENCE", "stop"),
        ("MAX_TOKENS", "length"),
        ("TOOL_CALL", "tool_calls"),
        ("SOMETHING_NEW", "other"),
    ],
)
def test_every_finish_has_a_word(reason: str, word: str) -> None:
    finish = of(Finish, read(end(reason)))[0]
    assert (finish.reason, finish.native) == (word, reason)


@pytest.mark.parametrize(
    ("write", "status", "words"),
    [
        (end("ERROR", error="It fell over."), 502, "It fell over."),
        (end("TIMEOUT"), 504, "The upstream reported an error."),
        (event("error", error={"message": "overloaded"}), 502, "overloaded"),
        (b'data: {"message":"gone"}\n\n', 502, "gone"),
    ],
)
def test_an_end_that_is_an_error_is_a_failure(write: bytes, status: int, words: str) -> None:
    failure = read(START, *text(0, "Hi"), write)[-1]
    assert isinstance(failure, Failure)
    assert (failure.status, failure.message) == (status, words)


def test_halves_of_surrogate_pairs_are_joined() -> None:
    pieces = [b'"\\ud83c"', b'"\\udf89\\ud83c"']
    head = b'data: {"type":"content-delta","index":0,"delta":{"message":{"content":{"text":'
    events = read(*(head + piece + b"}}}}\n\n" for piece in pieces), end())
    assert "".join(t.text for t in of(Text, events)) == "\U0001f389\ufffd"


def test_an_event_that_is_no_json_is_a_failure() -> None:
    assert [type(e) for e in read(b"data: {\n\n")] == [Failure]


def test_a_whole_answer_says_what_a_stream_says() -> None:
    said = {
        "role": "assistant",
        "tool_plan": "I will.",
        "content": [{"type": "thinking", "thinking": "Hm."}, {"type": "text", "text": "Green"}],
        "tool_calls": [CALL],
        "citations": [CITED],
    }
    body = {"id": "1", "finish_reason": "TOOL_CALL", "message": said, "usage": {"tokens": {"input_tokens": 1.0}}}
    events = COHERE.read_answer(json.dumps(body).encode(), 200)
    kinds = [Start, Reasoning, Reasoning, Text, ToolCall, Citation, Citation, Usage, Finish, End]
    assert [type(e) for e in events] == kinds
    assert of(ToolCall, events)[0].arguments == '{"city": "Rome"}'
    assert of(Citation, events)[0].part == of(Text, events)[0].part == 2


@pytest.mark.parametrize(
    ("body", "status", "code", "told"),
    [
        (b'{"message":"too many requests"}', 429, "upstream_error", 429),
        (b'{"message":"too many requests"}', 200, "upstream_error", 502),
        (b'{"finish_reason":"ERROR","message":{"role":"assistant"}}', 200, "upstream_error", 502),
        (b"<html>", 200, "upstream_protocol", 502),
        (b"{}", 500, "upstream_protocol", 500),
    ],
)
def test_what_is_no_answer_is_one_failure(body: bytes, status: int, code: str, told: int) -> None:
    [failure] = COHERE.read_answer(body, status)
    assert isinstance(failure, Failure)
    assert (failure.code, failure.status) == (code, told)


# -- cut anywhere --


def stream(name: str) -> Canned:
    return msgspec.convert(CONFORMANCE["answers"][name], Canned)


@pytest.mark.parametrize("name", ["reasoning", "tool_calls_split"])
def test_no_cut_ends_well_and_no_split_matters(name: str) -> None:
    replayed(COHERE, stream(name))


def test_an_error_inside_a_200_is_seen_wherever_it_is_cut() -> None:
    replayed(COHERE, stream("error_in_the_stream"), fails=True)
