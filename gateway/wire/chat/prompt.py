"""A chat request's prompt, both ways."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import msgspec

from gateway.prompt import Message, Prompt, ResponseFormat, TextPart, Thinking
from gateway.requests import Fields, PromptCodec, Written
from gateway.wire.chat.message_reading import read_messages
from gateway.wire.chat.message_writing import MessageWriter
from gateway.wire.chat.tools import read_tool, read_tool_choice, write_tool, write_tool_choice
from gateway.wire.json import decode_value, encode_value
from gateway.wire.reading import (
    boolean,
    integer,
    listed,
    nothing_else,
    number,
    objected,
    optional_text,
    texts,
)

_ADDRESS: Final = ("model", "stream", "stream_options")
_SAID: Final = (
    "messages",
    "tools",
    "tool_choice",
    "max_tokens",
    "max_completion_tokens",
    "temperature",
    "top_p",
    "stop",
)
_SAID_TOO: Final = ("n", "seed", "response_format", "reasoning_effort", "parallel_tool_calls")
_READ: Final = frozenset((*_ADDRESS, *_SAID, *_SAID_TOO))
_KNOWN: Final = frozenset(
    (
        "frequency_penalty",
        "logit_bias",
        "logprobs",
        "metadata",
        "presence_penalty",
        "service_tier",
        "top_k",
        "top_logprobs",
        "user",
        "verbosity",
    )
)
"""What another dialect's requests say besides, and chat upstreams know."""
_UNSAID: Final = frozenset(("background", "include", "store", "stream_options"))
"""What has nothing to say to a chat upstream."""
_TIERS: Final = ("auto", "default", "flex", "priority", "scale")
_SYSTEM: Final = ("system", "developer")


class ChatPrompts:
    """The codec of `fields` that OpenAI's chat completions are asked with."""

    __slots__ = ()

    def read(self, fields: Fields) -> Prompt:
        """The prompt that the fields say; raises `InvalidRequest` naming the field that cannot be read."""
        values = {name: decode_value(raw) for name, raw in fields.items()}
        messages = read_messages(values.get("messages"))
        start = _instructions(messages)
        choice, effort = values.get("tool_choice"), optional_text(values.get("reasoning_effort"), "reasoning_effort")
        most = "max_completion_tokens" if values.get("max_completion_tokens") is not None else "max_tokens"
        return Prompt(
            system=tuple(part for m in messages[:start] for part in m.parts if isinstance(part, TextPart)),
            messages=tuple(messages[start:]),
            tools=tuple(read_tool(t, f"tools[{i}]") for i, t in enumerate(listed(values.get("tools"), "tools"))),
            tool_choice=None if choice is None else read_tool_choice(choice),
            max_tokens=integer(values.get(most), most),
            temperature=number(values.get("temperature"), "temperature"),
            top_p=number(values.get("top_p"), "top_p"),
            stop=texts(values.get("stop"), "stop"),
            n=integer(values.get("n"), "n"),
            seed=integer(values.get("seed"), "seed"),
            response_format=_read_format(values.get("response_format")),
            reasoning=None if effort is None else Thinking(effort=effort),
            parallel_tools=boolean(values.get("parallel_tool_calls"), "parallel_tool_calls"),
            extra=nothing_else(values, _READ),
        )

    def write(self, prompt: Prompt, before: Prompt, fields: Fields) -> Written:
        """The fields that differ; a message that does not keeps its bytes."""
        writer = MessageWriter(own=bool(fields))
        lost = writer.lost
        changes: dict[str, msgspec.Raw | None] = {}
        if prompt.system != before.system or prompt.messages != before.messages or not fields:
            changes["messages"] = _write_messages(prompt, before, fields, writer)
        for field in _PLAIN:
            value = field.value(prompt)
            if value != field.value(before):
                name = _legacy(field.name, fields)
                changes[name] = None if value is None else encode_value(value)
        if prompt.tools != before.tools:
            own = bool(fields)
            tools = [tool for t in prompt.tools if (tool := write_tool(t, lost, own=own)) is not None]
            changes["tools"] = encode_value(tools) if tools else None
        if prompt.tool_choice != before.tool_choice:
            chosen = prompt.tool_choice
            changes["tool_choice"] = None if chosen is None else encode_value(write_tool_choice(chosen))
        for name, value in prompt.extra.items():
            if not fields and (value is None or name in _UNSAID):
                continue
            if not fields and (name not in _KNOWN or (name == "service_tier" and value not in _TIERS)):
                lost.append(name)
            elif name not in before.extra or before.extra[name] != value:
                changes[name] = encode_value(value)
        changes |= dict.fromkeys(before.extra.keys() - prompt.extra.keys())
        return Written(changes, tuple(dict.fromkeys(lost)))


CHAT_PROMPTS: Final[PromptCodec] = ChatPrompts()


class _Field(NamedTuple):
    """A field with one value of the prompt behind it; `value` is what JSON says of it, None for nothing."""

    name: str
    attribute: str

    def value(self, prompt: Prompt) -> Any:
        given = getattr(prompt, self.attribute)
        if isinstance(given, Thinking):
            return given.effort or _effort(given)
        if isinstance(given, ResponseFormat):
            return _write_format(given)
        return list(given) or None if isinstance(given, tuple) else given


_PLAIN: Final = (
    _Field("max_tokens", "max_tokens"),
    _Field("temperature", "temperature"),
    _Field("top_p", "top_p"),
    _Field("stop", "stop"),
    _Field("n", "n"),
    _Field("seed", "seed"),
    _Field("response_format", "response_format"),
    _Field("reasoning_effort", "reasoning"),
    _Field("parallel_tool_calls", "parallel_tools"),
)
_BUDGETS: Final = ((4096, "low"), (16384, "medium"))
"""Thinking in tokens as words: up to so many are `low`, `medium`, all above are `high` (as OpenRouter maps them)."""


def _legacy(name: str, fields: Fields) -> str:
    return "max_completion_tokens" if name == "max_tokens" and "max_completion_tokens" in fields else name


def _effort(thinking: Thinking) -> str | None:
    if thinking.enabled is False:
        return "none"
    if thinking.budget is None:
        return None
    return next((word for most, word in _BUDGETS if thinking.budget <= most), "high")


def _instructions(messages: list[Message]) -> int:
    """How many messages at the start are instructions in nothing but text."""
    for count, message in enumerate(messages):
        if message.role != "system" or message.name or not all(isinstance(p, TextPart) for p in message.parts):
            return count
    return len(messages)


def _write_messages(prompt: Prompt, before: Prompt, fields: Fields, writer: MessageWriter) -> msgspec.Raw:
    raw = _split(fields.get("messages"))
    start = len(raw) - len(before.messages)
    kept = {id(message): raw[start + i] for i, message in enumerate(before.messages)} if raw else {}
    if prompt.system == before.system:
        out = list(raw[:start])
    else:
        role = next((r for m in raw[:start] if (r := decode_value(m).get("role")) in _SYSTEM), "system")
        out = [encode_value(message) for message in writer.system(prompt.system, role)]
    for message in prompt.messages:
        same = kept.get(id(message))
        out += [same] if same is not None else [encode_value(m) for m in writer.message(message)]
    return msgspec.Raw(b"[" + b",".join(bytes(message) for message in out) + b"]")


def _split(messages: msgspec.Raw | None) -> list[msgspec.Raw]:
    if messages is None:
        return []
    try:
        return msgspec.json.decode(messages, type=list[msgspec.Raw])
    except msgspec.DecodeError:  # a lone surrogate
        return [encode_value(message) for message in decode_value(messages)]


def _read_format(value: Any) -> ResponseFormat | None:
    if value is None:
        return None
    given = objected(value, "response_format")
    kind = given.get("type")
    if kind == "json_schema":
        schema = objected(given.get("json_schema"), "response_format.json_schema")
        return ResponseFormat(
            kind="schema",
            name=optional_text(schema.get("name"), "response_format.json_schema.name"),
            schema=schema.get("schema"),
            strict=boolean(schema.get("strict"), "response_format.json_schema.strict"),
            extra=nothing_else(schema, frozenset(("name", "schema", "strict"))),
        )
    return ResponseFormat(
        kind="json" if kind == "json_object" else "text", extra=nothing_else(given, frozenset({"type"}))
    )


def _write_format(given: ResponseFormat) -> Mapping[str, Any]:
    if given.kind == "schema":
        schema = {"name": given.name or "answer", "schema": given.schema, "strict": given.strict, **given.extra}
        return {"type": "json_schema", "json_schema": {k: v for k, v in schema.items() if v is not None}}
    return {"type": "json_object" if given.kind == "json" else "text", **given.extra}
