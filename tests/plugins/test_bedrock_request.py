"""What a request becomes for Converse; AWS's own description of it says whether it may be sent."""

import json
from typing import Any

import msgspec
import pytest
from botocore.session import get_session
from botocore.validate import ParamValidator

from gateway import ChatRequest, InvalidRequest, Model
from gateway.domain import Quirks
from gateway.testing.asked import chat_request
from gateway.wire.messages import MESSAGES_CLIENT
from gateway_bedrock.dialect import CONVERSE

CLAUDE = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
SHAPE = get_session().get_service_model("bedrock-runtime").operation_model("ConverseStream").input_shape
PNG = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
CALL = {"id": "call|1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Rome"}'}}
TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}, "description": "W."}}


def model(model_id: str = CLAUDE, **fields: Any) -> Model:
    return Model(id="1", name="m", model_id=model_id, provider="bedrock", base_url="", **fields)


def sent(request: ChatRequest, to: Model | None = None) -> dict[str, Any]:
    """The body, once AWS's own validator has nothing against it."""
    body: dict[str, Any] = json.loads(CONVERSE.write_request(request, to or model()))
    report = ParamValidator().validate({**body, "modelId": "m"}, SHAPE)
    assert not report.has_errors(), report.generate_report()
    return body


def chat(*messages: dict[str, Any], **fields: Any) -> ChatRequest:
    return chat_request("m", messages=list(messages) or [{"role": "user", "content": "Hi"}], **fields)


def messages(*said: dict[str, Any], **fields: Any) -> ChatRequest:
    asked = {"model": "m", "max_tokens": 9, "messages": list(said) or [{"role": "user", "content": "Hi"}], **fields}
    return MESSAGES_CLIENT.read_request(json.dumps(asked).encode())


def test_a_conversation_with_tools() -> None:
    body = sent(
        chat(
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "Look."}, PNG]},
            {"role": "assistant", "content": None, "tool_calls": [CALL]},
            {"role": "tool", "tool_call_id": "call|1", "content": "sunny"},
            {"role": "user", "content": "And?"},
            {"role": "system", "content": "Now!"},
            tools=[TOOL],
            tool_choice="required",
            max_tokens=50,
            temperature=1.5,
            top_p=0.9,
            stop=["END", " "],
        )
    )
    assert body["system"] == [{"text": "Be brief."}, {"text": "Now!"}]
    assert body["messages"] == [
        {"role": "user", "content": [{"text": "Look."}, {"image": {"format": "png", "source": PNG_SOURCE}}]},
        {
            "role": "assistant",
            "content": [{"toolUse": {"toolUseId": "call_1", "name": "weather", "input": {"city": "Rome"}}}],
        },
        {
            "role": "user",
            "content": [{"toolResult": {"toolUseId": "call_1", "content": [{"text": "sunny"}]}}, {"text": "And?"}],
        },
    ]
    spec = {"name": "weather", "description": "W.", "inputSchema": {"json": {"type": "object"}}}
    assert body["toolConfig"] == {"tools": [{"toolSpec": spec}], "toolChoice": {"any": {}}}
    assert body["inferenceConfig"] == {"maxTokens": 50, "temperature": 1.0, "topP": 0.9, "stopSequences": ["END"]}
    assert not {"model", "stream"} & body.keys()


PNG_SOURCE = {"bytes": "iVBORw0KGgo="}


def test_marks_of_the_cache_are_blocks_of_their_own() -> None:
    mark = {"type": "ephemeral", "ttl": "1h"}
    body = sent(
        messages(
            {"role": "user", "content": [{"type": "text", "text": "Long.", "cache_control": mark}]},
            system=[{"type": "text", "text": "Longer.", "cache_control": {"type": "ephemeral"}}],
            tools=[{"name": "f", "input_schema": {"type": "object"}, "cache_control": mark}],
        )
    )
    point = {"cachePoint": {"type": "default", "ttl": "1h"}}
    assert body["system"] == [{"text": "Longer."}, {"cachePoint": {"type": "default"}}]
    assert body["messages"][0]["content"] == [{"text": "Long."}, point]
    assert body["toolConfig"]["tools"][1] == point


def test_thinking_goes_back_to_its_maker_alone() -> None:
    def turn(signature: str, data: str) -> list[Any]:
        thought = {"type": "thinking", "thinking": "Hm.", "signature": signature}
        redacted = {"type": "redacted_thinking", "data": data}
        said = [thought, redacted, {"type": "text", "text": "Yes."}]
        asked = messages({"role": "user", "content": "Hi"}, {"role": "assistant", "content": said})
        return list(sent(asked)["messages"][1]["content"])

    own = turn("gateway:converse:c2ln", "gateway:converse:b3A=")
    assert own == [
        {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "c2ln"}}},
        {"reasoningContent": {"redactedContent": "b3A="}},
        {"text": "Yes."},
    ]
    assert turn("anthropics", "own") == [{"text": "Yes."}]


@pytest.mark.parametrize(
    ("model_id", "asked", "additional", "output"),
    [
        (CLAUDE, {"reasoning_effort": "low"}, {"thinking": {"type": "enabled", "budget_tokens": 2048}}, None),
        (CLAUDE, {"reasoning_effort": "none"}, None, None),
        ("anthropic.claude-opus-4-6-v1", {"reasoning_effort": "high"}, {"thinking": {"type": "adaptive"}}, "high"),
        ("anthropic.claude-opus-5-v1", {"reasoning_effort": "none"}, None, "low"),
        (
            "amazon.nova-2-lite-v1:0",
            {"reasoning_effort": "medium"},
            {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": "medium"}},
            None,
        ),
        ("openai.gpt-oss-120b-1:0", {"reasoning_effort": "minimal"}, {"reasoning_effort": "low"}, None),
        ("meta.llama4-scout-17b-instruct-v1:0", {"reasoning_effort": "high"}, None, None),
        ("amazon.nova-pro-v1:0", {"top_k": 5}, {"inferenceConfig": {"topK": 5}}, None),
        ("mistral.mistral-large-2407-v1:0", {"top_k": 5}, {"top_k": 5}, None),
    ],
)
def test_each_maker_is_told_of_thinking_in_its_own_words(
    model_id: str, asked: dict[str, Any], additional: Any, output: str | None
) -> None:
    body = sent(chat(**asked), model(model_id))
    assert body.get("additionalModelRequestFields") == additional
    assert body.get("outputConfig") == ({"effort": output} if output else None)


def test_a_budget_leaves_room_for_the_answer() -> None:
    assert sent(chat(reasoning_effort="low"))["inferenceConfig"]["maxTokens"] > 2048
    body = sent(chat(reasoning_effort="high", max_tokens=4000))
    assert body["additionalModelRequestFields"]["thinking"]["budget_tokens"] == 2000


def test_sampling_is_not_sent_where_it_is_refused() -> None:
    body = sent(chat(temperature=0.5, top_p=0.5, top_k=3, max_tokens=9), model("anthropic.claude-opus-4-8-v1"))
    assert body.keys() == {"messages", "inferenceConfig"}
    assert body["inferenceConfig"] == {"maxTokens": 9}


def test_a_schema_is_told_as_text() -> None:
    form = {"type": "json_schema", "json_schema": {"name": "answer", "schema": {"type": "object"}}}
    said = sent(chat(response_format=form))["outputConfig"]["textFormat"]
    assert said["structure"]["jsonSchema"] == {"name": "answer", "schema": '{"type":"object"}'}


def test_words_of_converse_itself_go_along_and_parameters_fill_in() -> None:
    guard = {"guardrailIdentifier": "g1", "guardrailVersion": "1"}
    parameters = {"inferenceConfig": {"maxTokens": 7, "topP": 0.1}, "performanceConfig": {"latency": "optimized"}}
    to = model(parameters=parameters, quirks=Quirks(omit=frozenset({"topP"})))
    body = sent(chat(guardrailConfig=guard, temperature=0.5, service_tier="flex", unknown=1), to)
    assert body["guardrailConfig"] == guard
    assert body["inferenceConfig"] == {"maxTokens": 7, "temperature": 0.5}
    assert body["performanceConfig"] == {"latency": "optimized"}
    assert body["serviceTier"] == {"type": "flex"}
    assert "unknown" not in body


def test_documents_have_names_of_their_own() -> None:
    def file(name: str, data: str = "data:application/pdf;base64,JVBERi0x") -> dict[str, Any]:
        return {"type": "file", "file": {"filename": name, "file_data": data}}

    plain = file("a_b  c!.md", "data:text/markdown;base64,IyBB")
    content = [{"type": "text", "text": "Read."}, plain, file("r.pdf"), file("r.pdf"), file("x", "JVBERi0x")]
    blocks = sent(chat({"role": "user", "content": content}))["messages"][0]["content"][1:]
    documents = [block["document"] for block in blocks]
    assert [d["format"] for d in documents] == ["md", "pdf", "pdf", "pdf"]
    assert [d["name"] for d in documents] == ["a b c", "r", "r 3", "x"]


def test_calls_of_earlier_turns_need_tools() -> None:
    turns = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "call|1", "content": ""},
    ]
    config = sent(chat(*turns))["toolConfig"]
    assert config["tools"][0]["toolSpec"]["name"] == "weather"
    assert "toolChoice" not in sent(chat(*turns, tools=[TOOL], tool_choice="none"))["toolConfig"]
    assert "toolConfig" not in sent(chat(tools=[TOOL], tool_choice="none"))


def test_an_id_that_is_too_long_is_changed_alike_in_call_and_result() -> None:
    long = {**CALL, "id": "c" * 100}
    turns = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "tool_calls": [long]},
        {"role": "tool", "tool_call_id": "c" * 100, "content": "x"},
    ]
    said = sent(chat(*turns))["messages"]
    id = said[1]["content"][0]["toolUse"]["toolUseId"]
    assert len(id) == 64
    assert said[2]["content"][0]["toolResult"]["toolUseId"] == id


@pytest.mark.parametrize(
    ("part", "named"),
    [
        ({"type": "image_url", "image_url": {"url": "https://a.example/i.png"}}, "address"),
        ({"type": "image_url", "image_url": {"url": "data:image/tiff;base64,AA=="}}, "image/tiff"),
        ({"type": "file", "file": {"file_id": "file-1"}}, "upload"),
        (
            {"type": "file", "file": {"filename": "x.exe", "file_data": "data:application/x;base64,AA=="}},
            "application/x",
        ),
    ],
)
def test_media_that_cannot_be_given_is_refused(part: dict[str, Any], named: str) -> None:
    with pytest.raises(InvalidRequest, match=named):
        sent(chat({"role": "user", "content": [part]}))


@pytest.mark.parametrize("asked", [{"n": 2}, {"modalities": ["text", "audio"]}])
def test_what_would_mean_something_else_is_refused(asked: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        sent(chat(**asked))


def test_a_tool_of_free_text_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="free-text"):
        sent(chat(tools=[{"type": "custom", "custom": {"name": "shell"}}]))


def test_what_has_no_place_is_named() -> None:
    asked = chat(seed=1, logit_bias={}, response_format={"type": "json_object"}, parallel_tool_calls=False, top_k=3)
    sent(asked)
    assert set(asked.lost) == {"seed", "logit_bias", "response_format", "parallel_tools"}
    hot = chat(temperature=1.7, stop=["\n", "END"])
    assert sent(hot)["inferenceConfig"] == {"temperature": 1.0, "stopSequences": ["END"]}
    assert set(hot.lost) == {"temperature", "stop"}
    whole = chat(temperature=1, stop=["END"])
    sent(whole)
    assert whole.lost == ()
    with pytest.raises(InvalidRequest, match="seed"):
        sent(msgspec.structs.replace(chat(seed=1), strict=True))
