"""A responses request's prompt, both ways."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from gateway.errors import InvalidRequest
from gateway.prompt import Prompt, TextPart
from gateway.requests import Fields, PromptCodec, Written
from gateway.wire.json import decode_value, encode_value
from gateway.wire.reading import boolean, integer, listed, nothing_else, number, optional_text
from gateway.wire.responses.forms import (
    LOGPROBS,
    included,
    read_format,
    read_reasoning,
    write_reasoning,
    write_text,
)
from gateway.wire.responses.item_reading import Turn, instructions, read_input
from gateway.wire.responses.item_writing import ItemWriter
from gateway.wire.responses.tools import read_tool, read_tool_choice, write_tool, write_tool_choice

_ADDRESS: Final = ("model", "stream")
_SAID: Final = ("input", "instructions", "tools", "tool_choice", "max_output_tokens", "temperature", "top_p")
_READ: Final = frozenset((*_ADDRESS, *_SAID, "reasoning", "text", "parallel_tool_calls"))
_KNOWN: Final = frozenset(("metadata", "prompt_cache_key", "safety_identifier", "service_tier", "top_logprobs", "user"))
"""What another dialect's requests say besides, and responses upstreams know."""
_UNSAID: Final = frozenset(("stream_options", "store", "n", "modalities", "logprobs", "verbosity", "reasoning_effort"))
_TIERS: Final = ("auto", "default", "flex", "priority", "scale")


class ResponsesPrompts:
    """The codec of `fields` that OpenAI's responses are asked with."""

    __slots__ = ()

    def read(self, fields: Fields) -> Prompt:
        """The prompt that the fields say; raises `InvalidRequest` naming the field that cannot be read."""
        values = {name: decode_value(raw) for name, raw in fields.items()}
        turns = read_input(values.get("input"))
        start = instructions(turns)
        said = optional_text(values.get("instructions"), "instructions")
        tools = listed(values.get("tools"), "tools")
        return Prompt(
            system=(
                *((TextPart(text=said),) if said else ()),
                *(part for turn in turns[:start] for part in turn.message.parts if isinstance(part, TextPart)),
            ),
            messages=tuple(turn.message for turn in turns[start:]),
            tools=tuple(read_tool(tool, f"tools[{i}]") for i, tool in enumerate(tools)),
            tool_choice=read_tool_choice(values.get("tool_choice")),
            max_tokens=integer(values.get("max_output_tokens"), "max_output_tokens"),
            temperature=number(values.get("temperature"), "temperature"),
            top_p=number(values.get("top_p"), "top_p"),
            response_format=read_format(values.get("text")),
            reasoning=read_reasoning(values.get("reasoning")),
            parallel_tools=boolean(values.get("parallel_tool_calls"), "parallel_tool_calls"),
            extra={**nothing_else(values, _READ), **included(values)},
        )

    def write(self, prompt: Prompt, before: Prompt, fields: Fields) -> Written:
        """The fields that differ; an item that does not keeps its bytes.

        Another dialect's prompt is written as a whole. Raises `InvalidRequest` for what would change its meaning:
        several choices, sound as an answer.
        """
        if not fields:
            return _translated(prompt)
        writer, changes = ItemWriter(own=True), dict[str, Any]()
        if prompt.system != before.system or prompt.messages != before.messages:
            changes["input"] = _write_input(prompt, before, fields, writer)
        if prompt.system != before.system:
            changes["instructions"] = writer.instructions(prompt.system)
        for name, attribute in _PLAIN:
            if (value := getattr(prompt, attribute)) != getattr(before, attribute):
                changes[name] = value
        if prompt.tools != before.tools:
            tools = (write_tool(tool, writer.lost, own=True) for tool in prompt.tools)
            changes["tools"] = [tool for tool in tools if tool is not None] or None
        if prompt.tool_choice != before.tool_choice:
            changes["tool_choice"] = write_tool_choice(prompt.tool_choice) if prompt.tool_choice is not None else None
        if prompt.reasoning != before.reasoning:
            changes["reasoning"] = write_reasoning(prompt.reasoning, own=True)
        verbosity = prompt.extra.get("verbosity")
        if prompt.response_format != before.response_format or verbosity != before.extra.get("verbosity"):
            given = decode_value(fields.get("text", b"null"))
            changes["text"] = write_text(prompt.response_format, verbosity, given, own=True)
        changes |= _changed_extra(prompt.extra, before.extra)
        missing = (name for name in ("n", "seed", "stop") if getattr(prompt, name) != getattr(before, name))
        lost = tuple(dict.fromkeys((*writer.lost, *missing)))
        return Written({name: _raw(value) for name, value in changes.items()}, lost=lost)


RESPONSES_PROMPTS: Final[PromptCodec] = ResponsesPrompts()

_PLAIN: Final = (
    ("max_output_tokens", "max_tokens"),
    ("temperature", "temperature"),
    ("top_p", "top_p"),
    ("parallel_tool_calls", "parallel_tools"),
)
_DERIVED: Final = ("verbosity", "logprobs")
"""What the prompt says besides, and stands elsewhere in the fields."""


def _raw(value: Any) -> msgspec.Raw | None:
    return value if value is None or isinstance(value, msgspec.Raw) else encode_value(value)


def _changed_extra(extra: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    changed = {n: v for n, v in extra.items() if n not in _DERIVED and (n not in before or before[n] != v)}
    return changed | {name: None for name in before if name not in extra and name not in _DERIVED}


def _write_input(prompt: Prompt, before: Prompt, fields: Fields, writer: ItemWriter) -> msgspec.Raw:
    """The items; instructions at their start are all in `instructions` once they have changed."""
    raw, turns = _split(fields.get("input"))
    start = instructions(turns)
    kept: dict[int, list[msgspec.Raw]] = {}
    at = sum(turn.items for turn in turns[:start])
    out = list(raw[:at]) if prompt.system == before.system else []
    for message, turn in zip(before.messages, turns[start:], strict=True):
        kept[id(message)] = raw[at : at + turn.items]
        at += turn.items
    for message in prompt.messages:
        same = kept.get(id(message))
        out += same if same is not None else [encode_value(item) for item in writer.items(message)]
    return msgspec.Raw(b"[" + b",".join(bytes(item) for item in out) + b"]")


def _split(given: msgspec.Raw | None) -> tuple[list[msgspec.Raw], list[Turn]]:
    """The items with the bytes of each, and the turns they are."""
    value = decode_value(given) if given is not None else None
    turns = read_input(value)
    if not isinstance(value, list):
        return [encode_value({"role": "user", "content": value})] if value is not None else [], turns
    try:
        return msgspec.json.decode(given or b"", type=list[msgspec.Raw]), turns
    except msgspec.DecodeError:  # a lone surrogate
        return [encode_value(item) for item in value], turns


def _translated(prompt: Prompt) -> Written:
    """The whole of another dialect's prompt; nothing of it is kept there, since its client could not ask for it."""
    if prompt.n not in (None, 1):
        raise InvalidRequest("The model of this request gives one answer: 'n' must be 1.", param="n")
    if "audio" in (prompt.extra.get("modalities") or ()):
        raise InvalidRequest("The model of this request does not answer with sound.", param="modalities")
    writer = ItemWriter(own=False)
    tools = [w for tool in prompt.tools if (w := write_tool(tool, writer.lost, own=False)) is not None]
    choice = prompt.tool_choice if tools else None
    known = {name: value for name, value in prompt.extra.items() if name in _KNOWN and value is not None}
    if known.get("service_tier") not in (None, *_TIERS):
        del known["service_tier"]
    said: dict[str, Any] = {
        "instructions": writer.instructions(prompt.system),
        "input": [item for message in prompt.messages for item in writer.items(message)],
        "max_output_tokens": prompt.max_tokens,
        "temperature": prompt.temperature,
        "top_p": prompt.top_p,
        "tools": tools or None,
        "tool_choice": write_tool_choice(choice) if choice is not None else None,
        "parallel_tool_calls": prompt.parallel_tools,
        "reasoning": write_reasoning(prompt.reasoning, own=False),
        "text": write_text(prompt.response_format, prompt.extra.get("verbosity"), None, own=False),
        "include": [LOGPROBS] if prompt.extra.get("logprobs") else None,
        "store": False,
        **known,
    }
    lost = tuple(dict.fromkeys((*writer.lost, *_missing(prompt, known))))
    return Written({name: _raw(value) for name, value in said.items() if value is not None}, lost=lost)


def _missing(prompt: Prompt, known: Mapping[str, Any]) -> Sequence[str]:
    lost = [n for n, v in prompt.extra.items() if n not in known and n not in _UNSAID and v is not None]
    if prompt.seed is not None:
        lost.append("seed")
    if prompt.stop:
        lost.append("stop")
    return lost
