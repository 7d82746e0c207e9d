"""A messages request as a prompt, a changed prompt as a messages request, and prompts of other dialects as one."""

from typing import Any

import msgspec
import pytest
from messages_requests import CACHED, CALL, CONVERSATION, MODEL, request, rewritten, said

from gateway import InvalidRequest
from gateway.domain import Quirks
from gateway.prompt import (
    MediaPart,
    OpaquePart,
    OpaqueTool,
    ReasoningPart,
    ResponseFormat,
    TextPart,
    Thinking,
    ToolCallPart,
    ToolChoice,
    ToolResultPart,
)
from gateway.wire.messages import MESSAGES


def test_a_conversation_is_read_turn_by_turn() -> None:
    prompt = request(messages=CONVERSATION, system=[{"type": "text", "text": "Be brief."}]).prompt
    assert prompt.system == (TextPart(text="Be brief."),)
    assert [m.role for m in prompt.messages] == ["user", "assistant", "tool", "assistant", "system", "user"]
    image = MediaPart(kind="image", media_type="image/png", data="AAAA")
    assert prompt.messages[0].parts == (TextPart(text="Look", extra={"cache_control": CACHED}), image)
    assert prompt.messages[1].parts == (
        ReasoningPart(text="hm", signature="sig", maker="messages"),
        ReasoningPart(redacted="blob", maker="messages"),
        TextPart(text="I will look."),
        ToolCallPart(id="toolu_1", name="weather", arguments='{"city":"Rom"}', extra={"caller": {"type": "direct"}}),
    )
    assert prompt.messages[2].parts == (
        ToolResultPart(
            id="toolu_1", parts=(TextPart(text="sunny"), image), is_error=True, extra={"cache_control": CACHED}
        ),
    )
    assert isinstance(prompt.messages[3].parts[0], OpaquePart)
    assert prompt.text.splitlines() == ["Look", "I will look.", "", "Sunny.", "Now in Latin.", "And tomorrow?"]


def test_media_is_read_by_kind_and_place() -> None:
    blocks = [
        {"type": "image", "source": {"type": "url", "url": "https://a.example/i.png"}},
        {"type": "image", "source": {"type": "file", "file_id": "f1"}},
        {
            "type": "document",
            "source": {"type": "base64", "media_type": "application/pdf", "data": "CCCC"},
            "title": "A",
            "citations": {"enabled": True},
        },
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "caf\u00e9"}},
        {"type": "document", "source": {"type": "content", "content": []}},
        {"type": "search_result", "source": "s", "title": "t", "content": []},
    ]
    asked = request(messages=[{"role": "user", "content": blocks}])
    assert asked.prompt.messages[0].parts == (
        MediaPart(kind="image", url="https://a.example/i.png"),
        MediaPart(kind="image", id="f1"),
        MediaPart(
            kind="file", media_type="application/pdf", data="CCCC", name="A", extra={"citations": {"enabled": True}}
        ),
        MediaPart(kind="file", media_type="text/plain", data="Y2Fmw6k="),
        OpaquePart(dialect="messages", value=blocks[4]),
        OpaquePart(dialect="messages", value=blocks[5]),
    )
    assert rewritten(asked)["messages"][0]["content"] == blocks


def test_every_turn_is_written_as_it_was_read() -> None:
    assert rewritten(request(messages=CONVERSATION))["messages"] == CONVERSATION


def test_the_settings_of_a_request_are_read_and_written_as_they_were() -> None:
    fields = {
        "system": "Be brief.",
        "max_tokens": 9,
        "temperature": 0.5,
        "top_p": 1,
        "stop_sequences": ["a", "b"],
        "tools": [
            {"name": "f", "description": "d", "input_schema": {"type": "object"}, "cache_control": CACHED},
            {"type": "web_search_20250305", "name": "web_search"},
        ],
        "tool_choice": {"type": "tool", "name": "f", "disable_parallel_tool_use": True},
        "thinking": {"type": "enabled", "budget_tokens": 2000, "display": "omitted"},
        "output_config": {"effort": "high", "format": {"type": "json_schema", "schema": {}}, "task_budget": 1},
        "metadata": {"user_id": "u"},
        "top_k": 3,
        "messages": CONVERSATION,
    }
    asked = request(**fields)
    prompt = asked.prompt
    assert (prompt.max_tokens, prompt.temperature, prompt.top_p, prompt.stop) == (9, 0.5, 1, ("a", "b"))
    assert prompt.tools[1] == OpaqueTool(dialect="messages", value=fields["tools"][1])  # type: ignore[index]
    assert (prompt.tool_choice, prompt.parallel_tools) == (ToolChoice(mode="tool", tool="f"), False)
    assert prompt.reasoning == Thinking(
        effort="high", budget=2000, enabled=True, extra={"type": "enabled", "display": "omitted"}
    )
    assert prompt.response_format == ResponseFormat(kind="schema", schema={})
    assert prompt.extra == {"metadata": {"user_id": "u"}, "top_k": 3}
    assert rewritten(asked) == fields


@pytest.mark.parametrize(
    "thinking", [{"type": "adaptive"}, {"type": "disabled"}, {"type": "between_tools"}, {"type": "enabled"}]
)
def test_every_form_of_thinking_is_written_as_it_was_read(thinking: dict[str, Any]) -> None:
    assert rewritten(request(messages=[], thinking=thinking))["thinking"] == thinking


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


def test_only_the_settings_that_differ_are_written() -> None:
    asked = request(messages=[], temperature=1, top_k=3, stop_sequences=["x"], system="a")
    changed = msgspec.structs.replace(
        asked.prompt, max_tokens=3, temperature=None, stop=(), extra={"speed": "fast"}, system=(), seed=1
    )
    after = asked.with_prompt(changed)
    assert said(after) == {"model": "m", "max_tokens": 3, "messages": [], "speed": "fast"}
    assert after.lost == ("seed",)


def test_a_lone_surrogate_stays_escaped() -> None:
    asked = request(messages=msgspec.Raw(rb'[{"role":"user","content":"\ud83d"},{"role":"user","content":"x"}]'))
    first = asked.prompt.messages[0]
    after = asked.with_prompt(msgspec.structs.replace(asked.prompt, messages=(first,)))
    assert bytes(after.fields["messages"]) == rb'[{"role": "user", "content": "\ud83d"}]'


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"messages": "x"}, "messages"),
        ({"messages": [1]}, "messages[0]"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages[0].content[0].text"),
        ({"messages": [{"role": "user", "content": [{"type": "image"}]}]}, "messages[0].content[0].source"),
        (
            {"messages": [{"role": "assistant", "content": [{**CALL, "input": "x"}]}]},
            "messages[0].content[0].input",
        ),
        ({"messages": [], "temperature": "hot"}, "temperature"),
        ({"messages": [], "tools": [{"name": 1}]}, "tools[0].name"),
        ({"messages": [], "tool_choice": {"type": "odd"}}, "tool_choice.type"),
        ({"messages": [], "thinking": "hard"}, "thinking"),
        ({"messages": [], "output_config": {"effort": 1}}, "output_config.effort"),
    ],
)
def test_what_cannot_be_read_is_named(fields: dict[str, Any], where: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        _ = request(**fields).prompt
    assert refused.value.param == where
    assert where in refused.value.message


def test_a_request_of_this_dialect_is_sent_as_it_came() -> None:
    spelled = b'[{"role":"user", "content":[{"type":"thinking","thinking":"a","signature":"sig"}]}]'
    model = msgspec.structs.replace(
        MODEL, parameters={"max_tokens": 1, "top_k": 7}, quirks=Quirks(omit=frozenset({"temperature"}))
    )
    body = MESSAGES.write_request(
        request(messages=msgspec.Raw(spelled), temperature=1, x_unknown=msgspec.Raw(b"2.50")), model
    )
    assert body == (b'{"model":"claude-x","max_tokens":9,"messages":' + spelled + b',"x_unknown":2.50,"top_k":7}')
