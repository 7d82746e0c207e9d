"""Requests for the tests of the messages dialect's prompts."""

import json
from typing import Any

import msgspec

from gateway import ChatRequest, Model, Prompt
from gateway.wire.chat import CHAT_PROMPTS
from gateway.wire.messages import MESSAGES, MESSAGES_PROMPTS

CACHED = {"type": "ephemeral", "ttl": "1h"}
CALL = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Rom"}}
IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}
CONVERSATION: list[dict[str, Any]] = [
    {"role": "user", "content": [{"type": "text", "text": "Look", "cache_control": CACHED}, IMAGE]},
    {
        "role": "assistant",
        "content": [
            {"type": "thinking", "thinking": "hm", "signature": "sig"},
            {"type": "redacted_thinking", "data": "blob"},
            {"type": "text", "text": "I will look."},
            {**CALL, "caller": {"type": "direct"}},
        ],
    },
    {
        "role": "user",
        "content": [
            {
                "type": "tool_result",
                "tool_use_id": "toolu_1",
                "content": [{"type": "text", "text": "sunny"}, IMAGE],
                "is_error": True,
                "cache_control": CACHED,
            }
        ],
    },
    {
        "role": "assistant",
        "content": [
            {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
            {"type": "text", "text": "Sunny.", "citations": [{"type": "char_location"}]},
        ],
    },
    {"role": "system", "content": "Now in Latin."},
    {"role": "user", "content": "And tomorrow?"},
]
MODEL = Model(id="1", name="m", model_id="claude-x", base_url="")


def raw(value: Any) -> msgspec.Raw:
    return value if isinstance(value, msgspec.Raw) else msgspec.Raw(json.dumps(value).encode())


def request(**fields: Any) -> ChatRequest:
    named = {"model": "m", "max_tokens": 9, **fields}
    return ChatRequest(
        dialect="messages",
        model="m",
        stream=True,
        fields={name: raw(v) for name, v in named.items()},
        codec=MESSAGES_PROMPTS,
    )


def chat(**fields: Any) -> ChatRequest:
    named = {"model": "m", "messages": [], **fields}
    return ChatRequest(
        dialect="chat",
        model="m",
        stream=True,
        fields={name: raw(v) for name, v in named.items()},
        codec=CHAT_PROMPTS,
    )


def said(request: ChatRequest) -> dict[str, Any]:
    return {name: json.loads(bytes(value)) for name, value in request.fields.items()}


def sent(request: ChatRequest, model: Model = MODEL) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(MESSAGES.write_request(request, model))
    return body


def turns(*messages: dict[str, Any], **fields: Any) -> list[dict[str, Any]]:
    """What a chat conversation is for a messages upstream."""
    out: list[dict[str, Any]] = sent(chat(messages=list(messages), **fields))["messages"]
    return out


def rewritten(asked: ChatRequest) -> dict[str, Any]:
    """The request with every message written anew."""
    again = tuple(msgspec.structs.replace(message) for message in asked.prompt.messages)
    written = MESSAGES_PROMPTS.write(msgspec.structs.replace(asked.prompt, messages=again), Prompt(), asked.fields)
    return {name: json.loads(bytes(value)) for name, value in written.fields.items() if value is not None}
