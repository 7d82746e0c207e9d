"""Prompts of other dialects as messages requests, and back."""

import json
from typing import Any

import msgspec
import pytest
from messages_requests import CALL, CONVERSATION, MODEL, chat, request, rewritten, sent, turns

from gateway import ChatRequest, InvalidRequest, Message, Prompt
from gateway.prompt import (
    MediaPart,
    OpaquePart,
    OpaqueTool,
    ReasoningPart,
    ResponseFormat,
    TextPart,
    Tool,
)
from gateway.wire.chat import CHAT_PROMPTS
from gateway.wire.messages import MESSAGES_PROMPTS


def test_a_chat_request_is_sent_as_messages() -> None:
    tool = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}, "strict": True}}
    body = sent(
        chat(
            messages=[
                {"role": "developer", "content": "Be brief."},
                {"role": "user", "content": "Hi"},
                {"role": "system", "content": "In Latin."},
                {"role": "user", "content": ""},
            ],
            max_completion_tokens=50,
            temperature=1.5,
            stop=["x", " "],
            tools=[tool],
            tool_choice="required",
            parallel_tool_calls=False,
            user="ada",
            service_tier="default",
            top_k=4,
            stream_options={"include_usage": True},
        )
    )
    assert body == {
        "model": "claude-x",
        "system": [{"type": "text", "text": "Be brief."}, {"type": "text", "text": "In Latin."}],
        "messages": [{"role": "user", "content": "Hi"}],
        "max_tokens": 50,
        "temperature": 1,
        "stop_sequences": ["x"],
        "tools": [{"name": "f", "input_schema": {"type": "object"}, "strict": True}],
        "tool_choice": {"type": "any", "disable_parallel_tool_use": True},
        "top_k": 4,
        "metadata": {"user_id": "ada"},
        "service_tier": "standard_only",
        "stream": True,
    }


def test_results_of_tools_and_what_was_said_then_are_one_turn() -> None:
    calls = [
        {"id": f"call:{n}", "type": "function", "function": {"name": "f", "arguments": arguments}}
        for n, arguments in enumerate(('{"a": 1}', "", "[1]", "{broken"))
    ]
    assert turns(
        {"role": "user", "content": "Go"},
        {"role": "assistant", "content": None, "tool_calls": calls},
        {"role": "tool", "tool_call_id": "call:0", "content": "one"},
        {"role": "tool", "tool_call_id": "call:1", "content": [{"type": "text", "text": "two"}]},
        {"role": "user", "content": "And?"},
    ) == [
        {"role": "user", "content": "Go"},
        {
            "role": "assistant",
            "content": [
                {"type": "tool_use", "id": f"call_{n}", "name": "f", "input": given}
                for n, given in enumerate(({"a": 1}, {}, {"arguments": [1]}, {"arguments": "{broken"}))
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "call_0", "content": "one"},
                {"type": "tool_result", "tool_use_id": "call_1", "content": "two"},
                {"type": "text", "text": "And?"},
            ],
        },
    ]


def test_only_the_maker_is_shown_its_own_signatures() -> None:
    details = [
        {"type": "reasoning.text", "text": "mine", "signature": "sig", "format": "messages"},
        {"type": "reasoning.encrypted", "data": "blob", "format": "messages"},
        {"type": "reasoning.text", "text": "theirs", "signature": "sig", "format": "gemini.generate"},
    ]
    content = [{"type": "text", "text": "x"}]
    (turn,) = turns({"role": "assistant", "content": content, "reasoning_details": details})
    assert turn["content"] == [
        {"type": "thinking", "thinking": "mine", "signature": "sig"},
        {"type": "redacted_thinking", "data": "blob"},
        *content,
    ]
    (turn,) = turns({"role": "assistant", "content": "x", "reasoning_content": "unsigned"})
    assert turn["content"] == "x"


def test_a_messages_client_brings_the_proofs_of_other_makers_back_to_them_alone() -> None:
    blocks = [
        {"type": "thinking", "thinking": "a", "signature": "gateway:gemini.generate:p:q"},
        {"type": "thinking", "thinking": "b", "signature": "gateway:chat:"},
        {"type": "thinking", "thinking": "c", "signature": "real"},
        {"type": "thinking", "thinking": "d", "signature": ""},
        {"type": "redacted_thinking", "data": "gateway:responses:blob"},
        {"type": "text", "text": "x"},
    ]
    only = [{"role": "assistant", "content": blocks[:2]}, {"role": "assistant", "content": blocks}]
    asked = request(messages=only)
    assert sent(asked)["messages"] == [{"role": "assistant", "content": [blocks[2], blocks[3], blocks[5]]}]
    parts = asked.prompt.messages[1].parts
    assert parts[:2] == (
        ReasoningPart(text="a", signature="p:q", maker="gemini.generate"),
        ReasoningPart(text="b", maker="chat"),
    )
    assert parts[4] == ReasoningPart(redacted="blob", maker="responses")
    assert rewritten(asked)["messages"] == only


def test_media_of_a_chat_request() -> None:
    content = [
        {"type": "image_url", "image_url": {"url": "https://a.example/i.png", "detail": "low"}},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
        {"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBERi0=", "filename": "a.pdf"}},
        {"type": "file", "file": {"file_data": "JVBERi0x", "filename": "b"}},
        {"type": "file", "file": {"file_data": "data:text/plain;base64,aGk=", "filename": "c.txt"}},
        {"type": "text", "text": "See", "cache_control": {"type": "ephemeral"}},
    ]
    pdf = {"type": "base64", "media_type": "application/pdf"}
    assert turns({"role": "user", "content": content})[0]["content"] == [
        {"type": "image", "source": {"type": "url", "url": "https://a.example/i.png"}},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
        {"type": "document", "source": {**pdf, "data": "JVBERi0="}, "title": "a.pdf"},
        {"type": "document", "source": {**pdf, "data": "JVBERi0x"}, "title": "b"},
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "hi"}, "title": "c.txt"},
        {"type": "text", "text": "See", "cache_control": {"type": "ephemeral"}},
    ]


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"reasoning_effort": "high"}, {"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}}),
        ({"reasoning_effort": "minimal"}, {"thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}}),
        ({"reasoning_effort": "none"}, {"thinking": {"type": "disabled"}, "max_tokens": 4096}),
        ({"reasoning_effort": "low"}, {"output_config": {"effort": "low"}, "max_tokens": 20480}),
        ({"thinking": {"type": "enabled", "budget_tokens": 2000}}, {"max_tokens": 6096}),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "s", "schema": {"type": "object"}}}},
            {"output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}}},
        ),
        ({}, {"max_tokens": 4096}),
        ({"max_tokens": 7}, {"max_tokens": 7}),
    ],
)
def test_settings_of_a_chat_request(fields: dict[str, Any], told: dict[str, Any]) -> None:
    body = sent(chat(**fields))
    assert told.items() <= body.items()
    assert ("output_config" in body) is ("output_config" in told)


def test_the_models_own_limit_comes_before_the_default() -> None:
    assert sent(chat(), msgspec.structs.replace(MODEL, parameters={"max_tokens": 99}))["max_tokens"] == 99


def test_a_choice_among_some_tools_leaves_the_others_out() -> None:
    tools = [{"type": "function", "function": {"name": name}} for name in ("a", "b")]
    allowed = {"mode": "required", "tools": [tools[1]]}
    body = sent(chat(tools=tools, tool_choice={"type": "allowed_tools", "allowed_tools": allowed}))
    assert [tool["name"] for tool in body["tools"]] == ["b"]
    assert body["tool_choice"] == {"type": "any"}


def test_what_messages_have_no_place_for_is_named() -> None:
    prompt = Prompt(
        messages=(
            Message(
                role="user",
                name="ada",
                parts=(
                    TextPart(text="x"),
                    OpaquePart(dialect="chat", value={}),
                    MediaPart(kind="audio", data="AA", media_type="audio/wav"),
                    MediaPart(kind="file", id="f1"),
                ),
            ),
        ),
        tools=(Tool(name="f"), OpaqueTool(dialect="chat", value={})),
        temperature=2,
        seed=1,
        stop=(" ",),
        response_format=ResponseFormat(kind="json"),
        extra={"logit_bias": {}, "metadata": {"a": "b"}, "service_tier": "flex", "store": True, "user": "u"},
    )
    written = MESSAGES_PROMPTS.write(prompt, Prompt(), {})
    assert set(written.lost) == {
        *("audio", "file", "logit_bias", "messages", "metadata", "name"),
        *("response_format", "seed", "service_tier", "stop", "temperature", "tools"),
    }


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"n": 2}, "n"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"previous_response_id": "r"}, "previous_response_id"),
        ({"tools": [{"type": "custom", "custom": {"name": "f"}}]}, "tools"),
    ],
)
def test_what_would_change_its_meaning_is_refused(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        sent(chat(**fields))
    assert refused.value.param == param


def test_what_only_messages_say_of_a_tool_is_not_sent_to_chat_upstreams() -> None:
    tool = {
        "name": "f",
        "input_schema": {},
        "strict": True,
        "cache_control": {},
        "input_examples": [],
        "type": "custom",
    }
    asked = request(messages=[], tools=[tool], service_tier="standard_only")
    written = CHAT_PROMPTS.write(asked.prompt, Prompt(), {})
    told = {"type": "function", "function": {"name": "f", "parameters": {}, "strict": True}}
    assert json.loads(bytes(written.fields["tools"] or b"")) == [told]
    assert "service_tier" not in written.fields
    assert written.lost == ("service_tier",)


def test_a_messages_request_as_a_chat_request_and_back() -> None:
    asked = request(
        messages=CONVERSATION[:3],
        system="Be brief.",
        tools=[{"name": "f", "input_schema": {"type": "object"}}],
        tool_choice={"type": "any"},
        temperature=0.5,
    )
    fields = {name: v for name, v in CHAT_PROMPTS.write(asked.prompt, Prompt(), {}).fields.items() if v is not None}
    again = sent(ChatRequest(dialect="chat", model="m", stream=False, fields=fields, codec=CHAT_PROMPTS))
    first, second, third = CONVERSATION[:3]
    assert again["messages"][0] == first
    assert again["messages"][1]["content"][:3] == second["content"][:3]
    assert again["messages"][1]["content"][3] == CALL
    assert again["messages"][2]["content"][0]["content"] == third["content"][0]["content"]
    assert (again["system"], again["tool_choice"], again["stream"]) == ("Be brief.", {"type": "any"}, False)
