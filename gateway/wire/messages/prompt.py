"""A messages request's prompt, both ways."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from gateway.prompt import Message, Prompt, TextPart
from gateway.requests import Fields, PromptCodec, Written
from gateway.wire.json import decode_value, encode_value
from gateway.wire.meaning import refuse_other_meaning
from gateway.wire.messages.message_reading import read_message, read_system
from gateway.wire.messages.message_writing import MessageWriter
from gateway.wire.messages.thinking import read_format, read_thinking, write_effort, write_format, write_thinking
from gateway.wire.messages.tools import read_tool, read_tool_choice, write_tool_choice, write_tools
from gateway.wire.reading import integer, listed, nothing_else, number, texts

_ADDRESS: Final = ("model", "stream")
_SAID: Final = ("messages", "system", "tools", "tool_choice", "max_tokens", "temperature", "top_p", "stop_sequences")
_READ: Final = frozenset((*_ADDRESS, *_SAID, "thinking", "output_config"))
_KNOWN: Final = frozenset(
    ("cache_control", "container", "context_management", "inference_geo", "mcp_servers", "speed", "thinking", "top_k")
)
"""What another dialect's requests say besides, and messages upstreams know."""
_UNSAID: Final = frozenset(
    ("background", "include", "metadata", "modalities", "n", "service_tier", "store", "stream_options", "user")
)
_TIERS: Final = {"auto": "auto", "default": "standard_only"}
_HOTTEST: Final = 1.0


class MessagesPrompts:
    """The codec of `fields` that Anthropic's messages are asked with."""

    __slots__ = ()

    def read(self, fields: Fields) -> Prompt:
        """The prompt that the fields say; raises `InvalidRequest` naming the field that cannot be read."""
        values = {name: decode_value(raw) for name, raw in fields.items()}
        messages = listed(values.get("messages"), "messages")
        config = values.get("output_config")
        choice, parallel = read_tool_choice(values.get("tool_choice"))
        return Prompt(
            system=read_system(values.get("system")),
            messages=tuple(read_message(m, f"messages[{i}]") for i, m in enumerate(messages)),
            tools=tuple(read_tool(t, f"tools[{i}]") for i, t in enumerate(listed(values.get("tools"), "tools"))),
            tool_choice=choice,
            max_tokens=integer(values.get("max_tokens"), "max_tokens"),
            temperature=number(values.get("temperature"), "temperature"),
            top_p=number(values.get("top_p"), "top_p"),
            stop=texts(values.get("stop_sequences"), "stop_sequences"),
            response_format=read_format(config),
            reasoning=read_thinking(values.get("thinking"), config),
            parallel_tools=parallel,
            extra=nothing_else(values, _READ),
        )

    def write(self, prompt: Prompt, before: Prompt, fields: Fields) -> Written:
        """The fields that differ; a message that does not keeps its bytes.

        Another dialect's prompt is written as a whole. Raises `InvalidRequest` for what would change its meaning:
        several choices, sound as an answer, tools that take free text.
        """
        if not fields:
            return _translated(prompt)
        writer = MessageWriter(own=True)
        changes: dict[str, Any] = {}
        if prompt.system != before.system:
            changes["system"] = writer.system(prompt.system)
        if prompt.messages != before.messages:
            changes["messages"] = _write_messages(prompt, before, fields, writer)
        for name, attribute in _PLAIN:
            if (value := getattr(prompt, attribute)) != getattr(before, attribute):
                changes[name] = (list(value) or None) if isinstance(value, tuple) else value
        choice = prompt.tool_choice
        if prompt.tools != before.tools or choice != before.tool_choice:
            changes["tools"] = write_tools(prompt.tools, choice, own=True) or None
        if choice != before.tool_choice or prompt.parallel_tools != before.parallel_tools:
            changes["tool_choice"] = write_tool_choice(choice, prompt.parallel_tools)
        if prompt.reasoning != before.reasoning:
            changes["thinking"] = write_thinking(prompt.reasoning, own=True)
        if prompt.reasoning != before.reasoning or prompt.response_format != before.response_format:
            changes["output_config"] = _config(prompt, decode_value(fields.get("output_config", b"null")), own=True)
        changes |= {n: v for n, v in prompt.extra.items() if n not in before.extra or before.extra[n] != v}
        changes |= dict.fromkeys(before.extra.keys() - prompt.extra.keys())
        lost = [*writer.lost, *(name for name in ("n", "seed") if getattr(prompt, name) != getattr(before, name))]
        return Written({name: _raw(value) for name, value in changes.items()}, lost=tuple(dict.fromkeys(lost)))


MESSAGES_PROMPTS: Final[PromptCodec] = MessagesPrompts()

_PLAIN: Final = (
    ("max_tokens", "max_tokens"),
    ("temperature", "temperature"),
    ("top_p", "top_p"),
    ("stop_sequences", "stop"),
)


def _raw(value: Any) -> msgspec.Raw | None:
    return value if value is None or isinstance(value, msgspec.Raw) else encode_value(value)


def _write_messages(prompt: Prompt, before: Prompt, fields: Fields, writer: MessageWriter) -> msgspec.Raw:
    raw = _split(fields.get("messages"))
    kept = {id(message): raw[i] for i, message in enumerate(before.messages)} if raw else {}
    out = [kept.get(id(message)) or encode_value(writer.message(message)) for message in prompt.messages]
    return msgspec.Raw(b"[" + b",".join(bytes(message) for message in out) + b"]")


def _split(messages: msgspec.Raw | None) -> list[msgspec.Raw]:
    if messages is None:
        return []
    try:
        return msgspec.json.decode(messages, type=list[msgspec.Raw])
    except msgspec.DecodeError:  # a lone surrogate
        return [encode_value(message) for message in decode_value(messages)]


def _config(prompt: Prompt, given: Any, *, own: bool) -> Mapping[str, Any] | None:
    """`output_config` with the effort and the form of the prompt, and what else was given."""
    rest = dict(nothing_else(given, frozenset(("effort", "format")))) if isinstance(given, dict) else {}
    said = {
        "effort": write_effort(prompt.reasoning, own=own),
        "format": write_format(prompt.response_format, own=own),
    }
    return {**rest, **{name: value for name, value in said.items() if value is not None}} or None


def _translated(prompt: Prompt) -> Written:
    """The whole of another dialect's prompt."""
    refuse_other_meaning(prompt)
    writer = MessageWriter(own=False)
    lost = writer.lost
    instructions, turns = _hoisted(prompt)
    tools = write_tools(prompt.tools, prompt.tool_choice, own=False)
    said: dict[str, Any] = {
        "system": writer.system(instructions),
        "messages": writer.messages(turns),
        "max_tokens": prompt.max_tokens,
        "temperature": None if prompt.temperature is None else min(prompt.temperature, _HOTTEST),
        "top_p": prompt.top_p,
        "stop_sequences": [stop for stop in prompt.stop if stop.strip()] or None,
        "tools": tools or None,
        "tool_choice": write_tool_choice(prompt.tool_choice, prompt.parallel_tools) if tools else None,
        "thinking": write_thinking(prompt.reasoning, own=False),
        "output_config": _config(prompt, prompt.extra.get("output_config"), own=False),
        **_known(prompt.extra),
    }
    lost += _missing(prompt, len(tools))
    fields = {name: _raw(value) for name, value in said.items() if value is not None}
    return Written(fields, lost=tuple(dict.fromkeys(lost)))


def _hoisted(prompt: Prompt) -> tuple[tuple[Any, ...], list[Message]]:
    """Instructions in the midst of a conversation go to its start, as Anthropic's own endpoint for chat has it."""
    moved = [part for m in prompt.messages if m.role == "system" for part in m.parts if isinstance(part, TextPart)]
    return (*prompt.system, *moved), [message for message in prompt.messages if message.role != "system"]


def _known(extra: Mapping[str, Any]) -> dict[str, Any]:
    """What was said besides, as far as messages upstreams know it."""
    said = {name: value for name, value in extra.items() if name in _KNOWN and value is not None}
    metadata, user = extra.get("metadata"), extra.get("user")
    if isinstance(metadata, dict) and isinstance(metadata.get("user_id"), str):
        user = metadata["user_id"]
    if isinstance(user, str):
        said["metadata"] = {"user_id": user}
    if isinstance(tier := extra.get("service_tier"), str) and tier in _TIERS:
        said["service_tier"] = _TIERS[tier]
    return said


def _missing(prompt: Prompt, tools: int) -> list[str]:
    """The names of what has no place."""
    said = _known(prompt.extra)
    fitting = {*_KNOWN, *_UNSAID, "output_config", "previous_response_id"}
    lost = [name for name, value in prompt.extra.items() if name not in fitting and value is not None]
    lost += [name for name in ("metadata", "service_tier") if prompt.extra.get(name) and name not in said]
    if isinstance(metadata := prompt.extra.get("metadata"), dict) and metadata.keys() - {"user_id"}:
        lost.append("metadata")
    if prompt.seed is not None:
        lost.append("seed")
    if prompt.temperature is not None and prompt.temperature > _HOTTEST:
        lost.append("temperature")
    if any(not stop.strip() for stop in prompt.stop):
        lost.append("stop")
    if prompt.response_format is not None and prompt.response_format.kind == "json":
        lost.append("response_format")
    only = prompt.tool_choice.only if prompt.tool_choice is not None else ()
    if not only and tools < len(prompt.tools):
        lost.append("tools")
    return lost
