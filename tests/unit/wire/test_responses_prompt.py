"""Prompts of responses requests: read, changed, and written for other dialects and from them."""

import json
from typing import Any

import msgspec
import pytest

from gateway import ChatRequest, InvalidRequest, Model
from gateway.prompt import MediaPart, ReasoningPart, TextPart, ToolCallPart, ToolResultPart
from gateway.wire.chat import CHAT, CHAT_CLIENT
from gateway.wire.messages import MESSAGES, MESSAGES_CLIENT
from gateway.wire.responses import RESPONSES, RESPONSES_CLIENT

MODEL = Model(id="m", name="m", model_id="up", base_url="http://up")
GRAMMAR = {"syntax": "lark", "definition": "start: /x/"}
INPUT: list[dict[str, Any]] = [
    {"role": "developer", "content": "In Latin."},
    {
        "role": "user",
        "content": [
            {"type": "input_text", "text": "Look"},
            {"type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "low"},
            {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="},
        ],
    },
    {
        "type": "reasoning",
        "id": "rs_1",
        "summary": [{"type": "summary_text", "text": "Hm."}],
        "encrypted_content": "e1",
    },
    {"type": "reasoning", "id": "rs_2", "summary": [], "encrypted_content": "e2"},
    {
        "type": "message",
        "id": "msg_1",
        "role": "assistant",
        "status": "completed",
        "content": [{"type": "output_text", "text": "I will.", "annotations": []}],
    },
    {"type": "function_call", "id": "fc_1", "call_id": "c1", "name": "f", "arguments": '{"a": 1.50}'},
    {"type": "custom_tool_call", "call_id": "c2", "name": "g", "input": "ls"},
    {"type": "function_call_output", "call_id": "c1", "output": "one"},
    {"type": "custom_tool_call_output", "call_id": "c2", "output": [{"type": "input_text", "text": "two"}]},
    {"role": "user", "content": "Thanks"},
]
FIELDS: dict[str, Any] = {
    "input": INPUT,
    "instructions": "Be brief.",
    "max_output_tokens": 50,
    "temperature": 0.5,
    "parallel_tool_calls": False,
    "reasoning": {"effort": "low", "summary": "auto"},
    "text": {"format": {"type": "json_schema", "name": "s", "schema": {"type": "object"}}, "verbosity": "low"},
    "tools": [
        {"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": True},
        {"type": "custom", "name": "g", "format": {"type": "grammar", **GRAMMAR}},
        {"type": "web_search"},
    ],
    "tool_choice": {"type": "function", "name": "f"},
    "include": ["message.output_text.logprobs"],
    "top_logprobs": 2,
    "metadata": {"a": "b"},
    "user": "ada",
    "store": True,
}


def request(**fields: Any) -> ChatRequest:
    return RESPONSES_CLIENT.read_request(json.dumps({"model": "m", "input": "Hi", **fields}).encode())


def sent(asked: ChatRequest, dialect: Any = RESPONSES) -> dict[str, Any]:
    return json.loads(dialect.write_request(asked, MODEL))


def test_what_an_assistant_did_in_a_row_is_one_turn() -> None:
    prompt = request(**FIELDS).prompt
    assert [part.text for part in prompt.system if isinstance(part, TextPart)] == ["Be brief.", "In Latin."]
    assert [message.role for message in prompt.messages] == ["user", "assistant", "tool", "tool", "user"]
    user, assistant, one, two, _ = (message.parts for message in prompt.messages)
    assert [part.kind for part in user if isinstance(part, MediaPart)] == ["image", "file"]
    thinking, opaque, text, call, custom = assistant
    assert isinstance(thinking, ReasoningPart)
    assert isinstance(opaque, ReasoningPart)
    assert (thinking.text, thinking.signature, thinking.redacted, thinking.maker) == ("Hm.", "e1", None, "responses")
    assert (opaque.text, opaque.signature, opaque.redacted) == ("", None, "e2")
    assert isinstance(text, TextPart)
    assert isinstance(call, ToolCallPart)
    assert isinstance(custom, ToolCallPart)
    assert (call.id, call.arguments, custom.kind, custom.arguments) == ("c1", '{"a": 1.50}', "custom", "ls")
    assert [part.id for part in (*one, *two) if isinstance(part, ToolResultPart)] == ["c1", "c2"]


def test_its_own_upstream_is_sent_what_came() -> None:
    body = b'{"model":"m", "input":[{"role":"user","content":"Hi","x":1.50}],"unknown":[ 1 ]}'
    asked = RESPONSES_CLIENT.read_request(body)
    assert asked.prompt
    assert RESPONSES.write_request(asked, MODEL) == (
        b'{"model":"up","input":[{"role":"user","content":"Hi","x":1.50}],"unknown":[ 1 ]}'
    )


def test_a_changed_turn_is_written_anew_and_no_other() -> None:
    asked = request(**FIELDS)
    first, assistant, *rest = asked.prompt.messages
    parts = [TextPart(text="I did.", extra=p.extra) if isinstance(p, TextPart) else p for p in assistant.parts]
    changed = msgspec.structs.replace(assistant, parts=tuple(parts))
    body = sent(asked.with_prompt(msgspec.structs.replace(asked.prompt, messages=(first, changed, *rest))))
    said = json.loads(json.dumps(INPUT))
    said[4]["content"][0]["text"] = "I did."
    assert body["input"] == said
    assert body["instructions"] == "Be brief."


def test_changed_settings_are_said_where_they_stood() -> None:
    asked = request(**FIELDS)
    prompt = msgspec.structs.replace(asked.prompt, max_tokens=9, response_format=None, tool_choice=None, system=())
    body = sent(asked.with_prompt(prompt))
    assert (body["max_output_tokens"], body["text"]) == (9, {"verbosity": "low"})
    assert "tool_choice" not in body
    assert "instructions" not in body
    assert body["input"] == INPUT[1:]
    assert body["include"] == FIELDS["include"]


def test_a_chat_upstream_is_asked_the_same() -> None:
    body = sent(request(**{**FIELDS, "stream": True}), CHAT)
    assert body["messages"] == [
        {"role": "system", "content": [{"type": "text", "text": "Be brief."}, {"type": "text", "text": "In Latin."}]},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Look"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA", "detail": "low"}},
                {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="}},
            ],
        },
        body["messages"][2],
        {"role": "tool", "tool_call_id": "c1", "content": "one"},
        {"role": "tool", "tool_call_id": "c2", "content": "two"},
        {"role": "user", "content": "Thanks"},
    ]
    assistant = body["messages"][2]
    assert assistant["content"] == "I will."
    assert "reasoning_details" not in assistant  # another maker's proofs are nothing to it
    assert assistant["tool_calls"] == [
        {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1.50}'}},
        {"id": "c2", "type": "custom", "custom": {"name": "g", "input": "ls"}},
    ]
    assert body["tools"][1]["custom"]["format"] == {"type": "grammar", "grammar": GRAMMAR}
    assert body["response_format"]["json_schema"] == {"name": "s", "schema": {"type": "object"}}
    settings = (
        "max_tokens",
        "temperature",
        "parallel_tool_calls",
        "reasoning_effort",
        "verbosity",
        "logprobs",
        "top_logprobs",
    )
    assert [body[name] for name in settings] == [50, 0.5, False, "low", "low", True, 2]
    assert body["tool_choice"] == {"type": "function", "function": {"name": "f"}}
    assert (body["user"], body["stream_options"]) == ("ada", {"include_usage": True})
    assert not {"store", "include", "text", "reasoning"} & body.keys()


def test_a_messages_upstream_is_asked_the_same() -> None:
    fields = {**FIELDS, "input": [item for item in INPUT if "custom" not in item.get("type", "")]}
    fields["tools"] = FIELDS["tools"][:1]
    asked = request(**fields)
    body = sent(asked, MESSAGES)
    assert [part["text"] for part in body["system"]] == ["Be brief.", "In Latin."]
    assert [message["role"] for message in body["messages"]] == ["user", "assistant", "user"]
    assert [block["type"] for block in body["messages"][1]["content"]] == ["text", "tool_use"]
    assert body["messages"][2]["content"][0] == {"type": "tool_result", "tool_use_id": "c1", "content": "one"}
    assert body["output_config"]["effort"] == "low"
    assert set(asked.lost) == {"metadata", "logprobs", "top_logprobs", "verbosity"}


@pytest.mark.parametrize("client", [CHAT_CLIENT, MESSAGES_CLIENT])
def test_another_dialects_request_is_asked_of_a_responses_upstream(client: Any) -> None:
    asked = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}], "temperature": 0.5}
    body = sent(client.read_request(json.dumps(asked).encode()))
    assert body == {
        "model": "up",
        "input": [{"role": "user", "content": "Hi"}],
        "max_output_tokens": 9,
        "temperature": 0.5,
        "store": False,
        "stream": False,
    }


def test_a_request_says_the_same_after_a_way_through_chat() -> None:
    there = CHAT_CLIENT.read_request(json.dumps({**sent(request(**FIELDS), CHAT), "model": "m"}).encode())
    body = sent(there)
    assert body["instructions"] == "Be brief.\n\nIn Latin."
    assert [item.get("type", item.get("role")) for item in body["input"]] == [
        "user",
        "assistant",
        "function_call",
        "custom_tool_call",
        "function_call_output",
        "custom_tool_call_output",
        "user",
    ]
    assert body["tools"] == FIELDS["tools"][:2]
    assert (body["text"], body["include"]) == (FIELDS["text"], FIELDS["include"])
    assert (body["reasoning"], body["tool_choice"]) == ({"effort": "low"}, FIELDS["tool_choice"])


def test_only_the_maker_is_shown_its_own_proofs() -> None:
    foreign = {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}]}
    items = [
        {**foreign, "encrypted_content": "gateway:messages:sig"},
        {**foreign, "summary": [], "encrypted_content": "gateway:messages:redacted:blob"},
        {"role": "user", "content": "Hi"},
    ]
    assert sent(request(input=items))["input"] == items[2:]
    assert sent(request(input=items), MESSAGES)["messages"][0]["content"] == [
        {"type": "thinking", "thinking": "Hm.", "signature": "sig"},
        {"type": "redacted_thinking", "data": "blob"},
    ]


def test_a_function_is_no_stricter_than_its_dialect_meant() -> None:
    tool = {"type": "function", "function": {"name": "f"}}
    body = sent(CHAT_CLIENT.read_request(json.dumps({"model": "m", "messages": [], "tools": [tool]}).encode()))
    assert body["tools"] == [
        {"type": "function", "name": "f", "parameters": {"type": "object", "properties": {}}, "strict": False}
    ]


def test_what_only_an_upstream_with_a_memory_can_honour_binds_the_request() -> None:
    assert request().bound == ()
    assert request(conversation=None, background=False).bound == ()
    assert request(conversation="c", background=True).bound == ("conversation", "background")
    assert request(input=[{"type": "item_reference", "id": "msg_1"}]).bound == ("input",)
    assert request(input='say "type": "item_reference"').bound == ()


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": ["x"]}, "input[0]"),
        ({"input": [{"role": 1}]}, "input[0].role"),
        ({"input": [{"type": "function_call", "call_id": "c"}]}, "input[0].name"),
        ({"tools": [{"type": "function"}]}, "tools[0].name"),
        ({"text": {"format": 1}}, "text.format"),
        ({"reasoning": 1}, "reasoning"),
        ({"max_output_tokens": "1"}, "max_output_tokens"),
    ],
)
def test_what_cannot_be_read_is_named(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        assert request(**fields).prompt
    assert refused.value.param == param
