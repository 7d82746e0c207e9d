"""A chat request as a prompt, and a changed prompt as a chat request."""

import json
from typing import Any

import msgspec
import pytest

from gateway import (
    ChatRequest,
    InvalidRequest,
    MediaPart,
    Message,
    Model,
    Prompt,
    ReasoningPart,
    TextPart,
    ToolCallPart,
)
from gateway.prompt import OpaquePart, OpaqueTool, ResponseFormat, Thinking, ToolChoice, ToolResultPart
from gateway.wire.chat import CHAT, CHAT_CLIENT, CHAT_PROMPTS
from gateway.wire.messages import MESSAGES, MESSAGES_CLIENT

MODEL = Model(id="1", name="m", model_id="up", base_url="")
MAKERS = ("messages", "gemini.generate", "anthropic-claude-v1", "chat")
CALL = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Rom"}'}}
CONVERSATION: list[dict[str, Any]] = [
    {"role": "developer", "content": "Be brief."},
    {"role": "user", "name": "ada", "content": [{"type": "text", "text": "Look", "cache_control": {"type": "x"}}]},
    {"role": "assistant", "content": None, "tool_calls": [CALL], "reasoning_content": "hm"},
    {"role": "tool", "tool_call_id": "c1", "content": "sunny"},
    {"role": "assistant", "content": "Sunny.", "unknown": [1.50]},
    {"role": "system", "content": "Now in Latin."},
    {"role": "user", "content": "And tomorrow?"},
]
SAID_BESIDES: list[dict[str, Any]] = [
    {"role": "tool", "tool_call_id": "c1", "content": "x", "name": "f", "cache_control": {"type": "ephemeral"}, "y": 1},
    {"role": "function", "name": "f", "content": "x", "unknown": True},
    {"role": "assistant", "content": None, "tool_calls": [{**CALL, "unknown": [1]}]},
    {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}", "unknown": 1}},
]
"""What is beside the words that all dialects share."""


def request(**fields: Any) -> ChatRequest:
    raw = {name: v if isinstance(v, msgspec.Raw) else msgspec.Raw(json.dumps(v).encode()) for name, v in fields.items()}
    return ChatRequest(dialect="chat", model="m", stream=True, fields=raw, codec=CHAT_PROMPTS)


def sent(**fields: Any) -> Any:
    asked = CHAT_CLIENT.read_request(json.dumps({"model": "m", **fields}).encode())
    return json.loads(CHAT.write_request(asked, MODEL))["messages"]


def said(request: ChatRequest) -> dict[str, Any]:
    return {name: json.loads(bytes(raw)) for name, raw in request.fields.items()}


def test_a_conversation_is_read_turn_by_turn() -> None:
    prompt = request(messages=CONVERSATION).prompt
    assert prompt.system == (TextPart(text="Be brief."),)
    assert [m.role for m in prompt.messages] == ["user", "assistant", "tool", "assistant", "system", "user"]
    assert prompt.messages[0].name == "ada"
    assert prompt.messages[1].parts == (
        ReasoningPart(text="hm"),
        ToolCallPart(id="c1", name="weather", arguments='{"city": "Rom"}'),
    )
    assert prompt.messages[2].parts == (ToolResultPart(id="c1", parts=(TextPart(text="sunny"),)),)
    assert prompt.text.splitlines() == ["Look", "", "", "Sunny.", "Now in Latin.", "And tomorrow?"]


def test_calls_of_old_have_ids_by_their_place_and_results_those_of_the_last_call_of_their_name() -> None:
    def called(name: str) -> list[dict[str, Any]]:
        call = {"name": name, "arguments": name}
        return [
            {"role": "assistant", "content": None, "function_call": call},
            {"role": "function", "name": name, "content": "x"},
        ]

    turns = request(messages=[*called("f"), *called("g"), *called("f"), called("h")[1]]).prompt.messages
    calls = [part for turn in turns for part in turn.parts if isinstance(part, ToolCallPart)]
    results = [part.id for turn in turns for part in turn.parts if isinstance(part, ToolResultPart)]
    assert [(call.name, call.arguments) for call in calls] == [("f", "f"), ("g", "g"), ("f", "f")]
    assert results == [*(call.id for call in calls), ""]
    assert len(set(results)) == 4


def test_calls_of_old_reach_other_dialects() -> None:
    call = {"name": "f", "arguments": '{"a": 1}'}
    said = [
        {"role": "user", "content": "?"},
        {"role": "assistant", "content": None, "function_call": call},
        {"role": "function", "name": "f", "content": "42"},
    ]
    asked = CHAT_CLIENT.read_request(json.dumps({"model": "m", "messages": said}).encode())
    _, use, result = json.loads(MESSAGES.write_request(asked, MODEL))["messages"]
    id = use["content"][0]["id"]
    assert use["content"] == [{"type": "tool_use", "id": id, "name": "f", "input": {"a": 1}}]
    assert result["content"] == [{"type": "tool_result", "tool_use_id": id, "content": "42"}]
    assert asked.lost == ()


def test_media_is_read_by_kind_and_place() -> None:
    parts = [
        {"type": "image_url", "image_url": {"url": "https://a.example/i.png", "detail": "low"}},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
        {"type": "input_audio", "input_audio": {"data": "BBBB", "format": "mp3"}},
        {"type": "file", "file": {"file_id": "f1", "filename": "a.pdf"}},
        {"type": "file", "file": {"file_data": "data:application/pdf;base64,CCCC", "filename": "a.pdf"}},
        {"type": "video_url", "video_url": {"url": "https://a.example/v"}},
    ]
    read = request(messages=[{"role": "user", "content": parts}]).prompt.messages[0].parts
    assert read == (
        MediaPart(kind="image", url="https://a.example/i.png", extra={"detail": "low"}),
        MediaPart(kind="image", media_type="image/png", data="AAAA"),
        MediaPart(kind="audio", media_type="audio/mp3", data="BBBB"),
        MediaPart(kind="file", id="f1", name="a.pdf"),
        MediaPart(kind="file", media_type="application/pdf", data="CCCC", name="a.pdf"),
        OpaquePart(dialect="chat", value=parts[5]),
    )


def test_the_settings_of_a_request_are_read() -> None:
    schema = {"name": "s", "schema": {"type": "object"}, "strict": True}
    prompt = request(
        messages=[],
        max_tokens=1,
        max_completion_tokens=2,
        temperature=0,
        top_p=0.5,
        stop="x",
        n=2,
        seed=7,
        reasoning_effort="low",
        parallel_tool_calls=False,
        response_format={"type": "json_schema", "json_schema": schema},
        tools=[{"type": "function", "function": {"name": "f", "parameters": {}}}, {"type": "web_search"}],
        tool_choice={"type": "function", "function": {"name": "f"}},
        user="u",
        stream_options={"include_usage": True},
    ).prompt
    assert (prompt.max_tokens, prompt.temperature, prompt.top_p, prompt.stop) == (2, 0, 0.5, ("x",))
    assert (prompt.n, prompt.seed, prompt.parallel_tools, prompt.reasoning) == (2, 7, False, Thinking(effort="low"))
    assert prompt.response_format == ResponseFormat(kind="schema", name="s", schema={"type": "object"}, strict=True)
    assert [type(tool).__name__ for tool in prompt.tools] == ["Tool", "OpaqueTool"]
    assert prompt.tool_choice == ToolChoice(mode="tool", tool="f")
    assert prompt.extra == {"user": "u"}


def test_a_prompt_is_read_once() -> None:
    asked = request(messages=CONVERSATION)
    assert asked.prompt is asked.prompt


def test_an_unchanged_prompt_changes_nothing() -> None:
    asked = request(messages=CONVERSATION, temperature=msgspec.Raw(b"0.50"))
    assert asked.with_prompt(msgspec.structs.replace(asked.prompt)) is asked


def test_a_changed_message_leaves_the_bytes_of_the_others() -> None:
    spelled = b'[{"role":"user","content":"a", "n" : 1.50},  {"content":"b","role":"user"}]'
    asked = request(messages=msgspec.Raw(spelled), temperature=msgspec.Raw(b"0.50"))
    first, second = asked.prompt.messages
    changed = msgspec.structs.replace(second, parts=(TextPart(text="c"),))
    after = asked.with_prompt(msgspec.structs.replace(asked.prompt, messages=(first, changed)))
    assert bytes(after.fields["messages"]) == (
        b'[{"role":"user","content":"a", "n" : 1.50},{"role":"user","content":"c"}]'
    )
    assert bytes(after.fields["temperature"]) == b"0.50"
    assert list(after.fields) == ["messages", "temperature"]


def test_messages_may_come_and_go() -> None:
    asked = request(messages=CONVERSATION)
    turns = asked.prompt.messages
    new = Message(role="user", parts=(TextPart(text="first"),))
    after = asked.with_prompt(msgspec.structs.replace(asked.prompt, messages=(new, *turns[4:])))
    assert said(after)["messages"] == [CONVERSATION[0], {"role": "user", "content": "first"}, *CONVERSATION[5:]]


def test_new_instructions_keep_the_role_of_the_old_ones() -> None:
    asked = request(messages=CONVERSATION)
    after = asked.with_prompt(msgspec.structs.replace(asked.prompt, system=(TextPart(text="Be long."),)))
    assert said(after)["messages"] == [{"role": "developer", "content": "Be long."}, *CONVERSATION[1:]]


def test_only_the_settings_that_differ_are_written() -> None:
    asked = request(messages=[], max_completion_tokens=9, temperature=1, user="u", n=2)
    changed = msgspec.structs.replace(
        asked.prompt, max_tokens=3, temperature=None, stop=("a", "b"), extra={"user": "v"}, n=None
    )
    after = asked.with_prompt(changed)
    assert said(after) == {"messages": [], "max_completion_tokens": 3, "stop": ["a", "b"], "user": "v"}
    assert after.prompt == changed


@pytest.mark.parametrize("turn", [*CONVERSATION, *SAID_BESIDES])
def test_every_turn_is_written_as_it_was_read(turn: dict[str, Any]) -> None:
    prompt = request(messages=[{"role": "user", "content": "x"}, turn]).prompt
    written = CHAT_PROMPTS.write(prompt, Prompt(), {"other": msgspec.Raw(b"1")})
    out = json.loads(bytes(written.fields["messages"] or b""))
    assert out[1] == turn
    assert request(messages=out).prompt == prompt


def test_what_another_dialect_says_beside_calls_and_results_is_not_written() -> None:
    prompt = request(messages=[{"role": "user", "content": "x"}, SAID_BESIDES[2], SAID_BESIDES[0]]).prompt
    written = CHAT_PROMPTS.write(prompt, Prompt(), {})
    assert json.loads(bytes(written.fields["messages"] or b""))[1:] == [
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "tool", "tool_call_id": "c1", "content": "x"},
    ]


def test_a_signature_goes_back_where_it_came_from() -> None:
    details = [
        {"type": "reasoning.text", "text": "hm", "signature": "sig", "format": "messages"},
        {"type": "reasoning.encrypted", "data": "blob", "format": "messages"},
    ]
    turn = {"role": "assistant", "content": "x", "reasoning_details": details}
    prompt = request(messages=[turn]).prompt
    assert prompt.messages[0].parts[:2] == (
        ReasoningPart(text="hm", signature="sig", maker="messages"),
        ReasoningPart(redacted="blob", maker="messages"),
    )
    written = CHAT_PROMPTS.write(prompt, Prompt(), {})
    assert json.loads(bytes(written.fields["messages"] or b""))[0]["reasoning_details"] == details


def test_an_upstream_is_not_shown_what_another_maker_signed() -> None:
    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    google = {"google": {"thought_signature": "sig"}}
    signed = {**call, "extra_content": {**google, "gateway": {"maker": "gemini.generate"}}}
    details = [{"type": "reasoning.text", "text": "hm", "signature": "s", "format": name} for name in MAKERS]
    theirs = {"role": "assistant", "content": "x", "tool_calls": [signed], "reasoning_details": details[:2]}
    mixed = {"role": "assistant", "content": "x", "tool_calls": [{**call, "extra_content": google}]}
    mixed = {**mixed, "reasoning_details": details}
    assert sent(messages=[theirs, mixed]) == [
        {"role": "assistant", "content": "x", "tool_calls": [call]},
        {**mixed, "reasoning_details": details[2:]},
    ]


def test_proofs_of_ones_own_keep_their_bytes() -> None:
    spelled = b'[{"role":"assistant", "reasoning_details":[{"format":"anthropic-claude-v1","x":1.50}]}]'
    asked = CHAT_CLIENT.read_request(b'{"model":"m","messages":' + spelled + b"}")
    assert spelled in CHAT.write_request(asked, MODEL)


def test_a_messages_clients_proofs_are_not_told_to_a_chat_upstream() -> None:
    content = [
        {"type": "thinking", "thinking": "hm", "signature": "sig"},
        {"type": "redacted_thinking", "data": "blob"},
        {"type": "thinking", "thinking": "", "signature": "gateway:gemini.generate:sig"},
        {"type": "tool_use", "id": "a", "name": "f", "input": {}},
    ]
    body = {"model": "m", "max_tokens": 9, "messages": [{"role": "assistant", "content": content}]}
    out = CHAT.write_request(MESSAGES_CLIENT.read_request(json.dumps(body).encode()), MODEL)
    assert json.loads(out)["messages"][0]["reasoning_content"] == "hm"
    assert b"sig" not in out
    assert b"blob" not in out


def test_what_chat_has_no_place_for_is_named() -> None:
    prompt = Prompt(
        messages=(
            Message(role="user", parts=(OpaquePart(dialect="messages", value={}), MediaPart(kind="audio", url="u"))),
        ),
        tools=(OpaqueTool(dialect="messages", value={"type": "bash"}),),
        extra={"top_k": 3, "container": "c"},
    )
    written = CHAT_PROMPTS.write(prompt, Prompt(), {})
    assert set(written.lost) == {"messages", "audio", "tools", "container"}
    assert json.loads(bytes(written.fields["top_k"] or b"")) == 3


def test_a_lone_surrogate_stays_escaped() -> None:
    asked = request(messages=msgspec.Raw(rb'[{"role":"user","content":"\ud83d"},{"role":"user","content":"x"}]'))
    first, second = asked.prompt.messages
    after = asked.with_prompt(msgspec.structs.replace(asked.prompt, messages=(first,)))
    assert bytes(after.fields["messages"]) == rb'[{"role": "user", "content": "\ud83d"}]'
    assert second.text == "x"


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"messages": "x"}, "messages"),
        ({"messages": [1]}, "messages[0]"),
        ({"messages": [{"content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages[0].content[0].text"),
        ({"messages": [{"role": "assistant", "function_call": {}}]}, "messages[0].function_call.name"),
        ({"messages": [], "temperature": "hot"}, "temperature"),
        ({"messages": [], "n": True}, "n"),
        ({"messages": [], "tools": [{"type": "function"}]}, "tools[0].function"),
        ({"messages": [], "tool_choice": {"type": "function"}}, "tool_choice.function"),
    ],
)
def test_what_cannot_be_read_is_named(fields: dict[str, Any], where: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        _ = request(**fields).prompt
    assert refused.value.param == where
    assert where in refused.value.message


def test_a_request_that_is_no_chat_has_no_prompt() -> None:
    with pytest.raises(TypeError, match="embeddings"):
        _ = ChatRequest(dialect="embeddings", model="m", stream=False, fields={}).prompt
