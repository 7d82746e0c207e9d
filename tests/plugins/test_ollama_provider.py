"""What Ollama is asked, and what its lines say."""

import json
from typing import Any

import msgspec
import pytest
from replay import replayed

from gateway import ChatRequest, End, Event, Failure, Finish, InvalidRequest, Model, Reasoning, Start, Text, ToolCall
from gateway.domain import Quirks
from gateway.events import Answer, Cause
from gateway.secrets import Secret
from gateway.testing.asked import chat_request
from gateway.testing.canned import Canned
from gateway.wire.messages import MESSAGES_CLIENT
from gateway_ollama.conformance import CONFORMANCE, call, delta, end, line, whole
from gateway_ollama.dialect import OLLAMA
from gateway_ollama.provider import OllamaProvider

CHAT = chat_request("m")
CALL = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Rome"}'}}
TOOLS = [{"type": "function", "function": {"name": name, "parameters": {"type": "object"}}} for name in ("a", "b")]


def model(base_url: str = "http://localhost:11434", **fields: Any) -> Model:
    return Model(id="1", name="m", provider="ollama", base_url=base_url, **{"model_id": "qwen3", **fields})


def sent(request: ChatRequest, to: Model | None = None) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(OLLAMA.write_request(request, to or model()))
    return body


def chat(*messages: dict[str, Any], **fields: Any) -> ChatRequest:
    return chat_request("m", messages=list(messages) or [{"role": "user", "content": "Hi"}], **fields)


def read(*writes: bytes) -> list[Event]:
    framing, reader = OLLAMA.framing(), OLLAMA.reader()
    return [event for frame in (*framing.feed(b"".join(writes)), *framing.end()) for event in reader.read(frame)]


def of(kind: Any, events: list[Event]) -> list[Any]:
    return [event for event in events if isinstance(event, kind)]


# -- where it goes --


@pytest.mark.parametrize(
    "base_url",
    [
        "",
        "http://localhost:11434",
        "http://localhost:11434/",
        "http://localhost:11434/v1",
        "http://localhost:11434/api",
    ],
)
def test_base_urls_may_have_a_path_or_not(base_url: str) -> None:
    assert OllamaProvider().url(CHAT, model(base_url)) == "http://localhost:11434/api/chat"


def test_a_key_is_sent_where_there_is_one() -> None:
    assert "authorization" not in dict(OllamaProvider().headers(model()))
    assert dict(OllamaProvider().headers(model(api_key=Secret("k"))))["authorization"] == "Bearer k"


# -- what it is asked --


def test_a_conversation_with_tools_and_an_image() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
    body = sent(
        chat(
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "Look."}, image]},
            {"role": "assistant", "content": None, "reasoning_content": "Hm.", "tool_calls": [CALL]},
            {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
        )
    )
    function = {"name": "weather", "arguments": {"city": "Rome"}}
    assert body["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Look.", "images": ["iVBORw0KGgo="]},
        {
            "role": "assistant",
            "content": "",
            "thinking": "Hm.",
            "tool_calls": [{"id": "call_1", "type": "function", "function": function}],
        },
        {"role": "tool", "content": "sunny", "tool_call_id": "call_1", "tool_name": "weather"},
    ]
    assert (body["model"], body["stream"]) == ("qwen3", True)


def test_options_are_nested_wherever_they_were_said() -> None:
    asked = chat(max_tokens=5, temperature=0.1, stop="END", seed=1, top_k=3, num_ctx=8192, options={"top_k": 4})
    to = model(parameters={"num_ctx": 1, "num_gpu": 2, "keep_alive": "10m", "options": {"num_thread": 3}})
    body = sent(asked, to)
    assert body["options"] == {
        "num_predict": 5,
        "temperature": 0.1,
        "stop": ["END"],
        "seed": 1,
        "num_ctx": 8192,
        "top_k": 4,
        "num_gpu": 2,
        "num_thread": 3,
    }
    assert body["keep_alive"] == "10m"
    assert not {"num_ctx", "num_gpu", "top_k"} & body.keys()


def test_quirks_reach_the_options() -> None:
    body = sent(
        chat(temperature=0.1, reasoning_effort="low"), model(quirks=Quirks(omit=frozenset({"temperature", "think"})))
    )
    assert body["options"] == {}
    assert "think" not in body


@pytest.mark.parametrize(
    ("asked", "think"),
    [
        ({"reasoning_effort": "none"}, False),
        ({"reasoning_effort": "minimal"}, "low"),
        ({"reasoning_effort": "high"}, "high"),
        ({"think": True}, True),
        ({}, None),
    ],
)
def test_how_much_to_think(asked: dict[str, Any], think: Any) -> None:
    assert sent(chat(**asked)).get("think") == think


def test_a_budget_of_a_messages_client_means_to_think() -> None:
    asked = {"model": "m", "max_tokens": 9, "messages": [], "thinking": {"type": "enabled", "budget_tokens": 2000}}
    assert sent(MESSAGES_CLIENT.read_request(json.dumps(asked).encode()))["think"] is True


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"type": "json_object"}, "json"),
        ({"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}}, {"type": "object"}),
        ({"type": "text"}, None),
    ],
)
def test_the_form_of_the_answer(form: Any, said: Any) -> None:
    assert sent(chat(response_format=form)).get("format") == said


@pytest.mark.parametrize(
    ("choice", "names"),
    [("auto", ["a", "b"]), ("none", []), ({"type": "function", "function": {"name": "b"}}, ["b"])],
)
def test_tools_are_chosen_by_telling_of_fewer(choice: Any, names: list[str]) -> None:
    tools = sent(chat(tools=TOOLS, tool_choice=choice)).get("tools", [])
    assert [tool["function"]["name"] for tool in tools] == names


def test_what_has_no_place_is_named() -> None:
    asked = chat(logit_bias={}, tools=TOOLS, tool_choice="required", parallel_tool_calls=False)
    sent(asked)
    assert set(asked.lost) == {"logit_bias", "tool_choice", "parallel_tools"}
    with pytest.raises(InvalidRequest, match="logit_bias"):
        sent(msgspec.structs.replace(chat(logit_bias={}), strict=True))


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "image_url": {"url": "https://a.example/i.png"}},
        {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}},
        {"type": "file", "file": {"file_id": "f"}},
    ],
)
def test_media_that_cannot_be_given_is_refused(part: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        sent(chat({"role": "user", "content": [part]}))


def test_a_document_of_text_is_given_as_text() -> None:
    part = {"type": "file", "file": {"filename": "a.txt", "file_data": "data:text/plain;base64,SGk="}}
    assert sent(chat({"role": "user", "content": [part]}))["messages"][0]["content"] == "Hi"


# -- what its lines say --


def test_thinking_text_counts_and_the_end() -> None:
    events = read(delta(thinking="Hm."), delta(content="Yes."), end("length"))
    assert [type(e).__name__ for e in events] == ["Start", "Reasoning", "Text", "Usage", "Finish", "End"]
    start = of(Start, events)[0]
    assert (start.model, start.created) == ("qwen3:8b", 1779922497)
    assert (of(Reasoning, events)[0].text, of(Text, events)[0].text) == ("Hm.", "Yes.")
    assert (of(Finish, events)[0].reason, of(Finish, events)[0].native) == ("length", "length")
    assert events[3].native["total_duration"] == 5589157167  # type: ignore[attr-defined]


def test_thinking_under_its_other_name_is_thinking() -> None:
    assert of(Reasoning, read(delta(reasoning_content="Hm.")))[0].text == "Hm."


def test_a_call_is_whole_and_has_an_id_of_its_own() -> None:
    events = read(call("f", {"a": 1.5, "b": "\u00e9"}), call("f", None), call("g", {}, id="call_9"), end())
    calls = of(ToolCall, events)
    assert [c.arguments for c in calls] == ['{"a":1.5,"b":"\u00e9"}', "{}", "{}"]
    assert len({c.id for c in calls}) == 3
    assert calls[2].id == "call_9"
    assert of(Finish, events)[0].reason == "tool_calls"


def test_arguments_that_are_told_as_text_are_what_the_text_says() -> None:
    events = read(call("f", '{"a": 1}'), call("f", ""), call("f", "a"), end())
    assert [c.arguments for c in of(ToolCall, events)] == ['{"a":1}', "{}", '{"arguments":"a"}']


def test_counts_nobody_told_are_unknown() -> None:
    usage = next(e for e in read(line({"message": {}, "done": True})) if type(e).__name__ == "Usage")
    assert (usage.input, usage.output) == (None, None)  # type: ignore[attr-defined]


def test_halves_of_surrogate_pairs_are_joined() -> None:
    pieces = [b'{"message":{"content":"\\ud83c"}}\n', b'{"message":{"content":"\\udf89\\ud83c"}}\n']
    assert "".join(t.text for t in of(Text, read(*pieces, end()))) == "\U0001f389\ufffd"


@pytest.mark.parametrize(
    ("said", "status"), [({"error": "it broke"}, 502), ({"error": "it broke", "status_code": 503}, 503)]
)
def test_an_error_in_the_midst_is_a_failure(said: dict[str, Any], status: int) -> None:
    failure = read(delta(content="Hi"), line(said))[-1]
    assert isinstance(failure, Failure)
    assert (failure.status, failure.message, failure.retryable) == (status, "it broke", True)


def test_a_line_that_is_no_json_is_a_failure() -> None:
    failure = read(b"<html>\n")[-1]
    assert isinstance(failure, Failure)
    assert failure.code == "upstream_protocol"


def test_lines_without_the_last_one_were_cut() -> None:
    answer = Answer(dialect="ollama")
    for said in read(delta(content="Hi"), call("f", {})):
        answer.note(said)
    assert isinstance(answer.verdict(Cause.EOF), Failure)


def test_lines_announced_as_something_else_are_read_all_the_same() -> None:
    events = OLLAMA.read_answer(delta(content="Hi") + end(), 200)
    assert isinstance(events[-1], End)
    assert of(Text, events)[0].text == "Hi"
    pretty = json.dumps(whole(content="Hi"), indent=2).encode()
    assert of(Text, OLLAMA.read_answer(pretty, 200))[0].text == "Hi"


@pytest.mark.parametrize(
    ("body", "status", "code", "told"),
    [
        (b'{"error":"model \'x\' not found"}', 404, "upstream_error", 404),
        (b'{"error":"no"}', 200, "upstream_error", 502),
        (b"<html>", 200, "upstream_protocol", 502),
        (b"{}", 200, "upstream_protocol", 502),
    ],
)
def test_what_is_no_answer_is_one_failure(body: bytes, status: int, code: str, told: int) -> None:
    [failure] = OLLAMA.read_answer(body, status)
    assert isinstance(failure, Failure)
    assert (failure.code, failure.status) == (code, told)


# -- cut anywhere --


def stream(name: str) -> Canned:
    return msgspec.convert(CONFORMANCE["answers"][name], Canned)


@pytest.mark.parametrize("name", ["reasoning", "parallel_tools"])
def test_no_cut_ends_well_and_no_split_matters(name: str) -> None:
    replayed(OLLAMA, stream(name))


def test_an_error_inside_a_200_is_seen_wherever_it_is_cut() -> None:
    replayed(OLLAMA, stream("error_in_the_stream"), fails=True)
