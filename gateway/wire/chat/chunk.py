"""The chunks of a chat stream as structs: decoded fast where they are as documented, with care where they are not."""

import json
from collections.abc import Mapping
from typing import Annotated, Any, Final

import msgspec
from msgspec import UNSET, UnsetType

from gateway.wire.javascript import to_string, truthy


class Malformed(ValueError):
    """The frame's data is nothing a chat upstream may send."""


class Delta(msgspec.Struct, gc=False):
    """What one chunk adds to one choice."""

    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    reasoning_details: Any = None
    refusal: str | None = None
    tool_calls: Any = None
    function_call: Any = None


class Choice(msgspec.Struct, gc=False):
    """One element of `choices`; `text` is the legacy completions' delta."""

    delta: Delta | UnsetType | None = UNSET
    text: str | None = None
    finish_reason: str | None = None
    index: int = 0
    logprobs: Any = None


class Chunk(msgspec.Struct, gc=False):
    """One event of a chat stream, as far as each one is looked at."""

    choices: list[Choice] | None = None
    usage: Any = None
    error: Any = None
    x_groq: Any = None


class NamedChunk(Chunk, gc=False):
    """The first one: it tells whose answer this is."""

    id: str | None = None
    model: str | None = None
    created: int | None = None


class _Message(Choice, gc=False):
    """One element of a completion's `choices`."""

    delta: Delta | UnsetType | None = msgspec.field(default=UNSET, name="message")
    chunked: None = msgspec.field(default=None, name="delta")
    """Where a completion is told like a chunk it is read with care."""


class _Completion(NamedChunk, gc=False):
    choices: list[_Message] | None = None  # type: ignore[assignment]


class _Going(msgspec.Struct, gc=False):
    finish_reason: None = None
    index: Annotated[int, msgspec.Meta(ge=0, le=0)] = 0
    """Another choice may have begun without being asked for, and has to end, too: that is looked at with care."""


class _OnlyGoesOn(msgspec.Struct, gc=False):
    """One event of a chat stream that says neither an end nor usage nor an error."""

    choices: Annotated[list[_Going], msgspec.Meta(min_length=1)]
    usage: None = None
    error: None = None


class _Words(msgspec.Struct, gc=False):
    content: Annotated[str, msgspec.Meta(min_length=1)]
    reasoning_content: None = None
    reasoning: None = None
    reasoning_details: None = None
    refusal: None = None
    tool_calls: None = None
    function_call: None = None


class Said(msgspec.Struct, gc=False):
    """A choice of which a piece of text is said and nothing else."""

    delta: _Words
    text: None = None
    finish_reason: None = None
    index: int = 0
    logprobs: Any = None


class _OnlyText(msgspec.Struct, gc=False):
    """One event of a chat stream that says a piece of one choice's text and nothing else: see `plain_text`."""

    choices: Annotated[list[Said], msgspec.Meta(min_length=1, max_length=1)]
    usage: None = None
    error: None = None


_text_alone: Final = msgspec.json.Decoder(_OnlyText)
decode_text: Final = _text_alone.decode
decode_all_text: Final = _text_alone.decode_lines
_going: Final = msgspec.json.Decoder(_OnlyGoesOn)
decode_going: Final = _going.decode
decode_all_going: Final = _going.decode_lines
"""Refuse, besides, every event that does more than say text, or more than go on."""
decode_fast: Final = msgspec.json.Decoder(Chunk).decode
decode_named: Final = msgspec.json.Decoder(NamedChunk).decode
decode_whole: Final = msgspec.json.Decoder(_Completion).decode
"""All refuse what is not as documented, lone surrogates too, and do not check the UTF-8 of what they skip."""


def plain_text(chunk: Chunk) -> tuple[Choice, str] | None:
    """The choice and the text of a chunk that says nothing but a piece of text, as nearly all do; else None."""
    choices = chunk.choices
    if choices is None or len(choices) != 1 or chunk.usage is not None or chunk.error is not None:
        return None
    choice = choices[0]
    delta = choice.delta
    if type(delta) is not Delta or choice.finish_reason is not None or choice.text is not None:
        return None
    if (
        delta.reasoning_content is not None
        or delta.reasoning is not None
        or delta.reasoning_details is not None
        or delta.refusal is not None
        or delta.tool_calls is not None
        or delta.function_call is not None
    ):
        return None
    return (choice, delta.content) if delta.content else None


def parse_object(data: bytes) -> dict[str, Any]:
    """A JSON object as JavaScript's parser takes it, lone surrogates included; raises `Malformed`."""
    try:
        value = json.loads(data.decode(), parse_constant=_refuse, parse_int=_number)
    except (ValueError, RecursionError) as error:
        raise Malformed(str(error)) from error
    if not isinstance(value, dict):
        raise Malformed("not a JSON object")
    return value


def chunk_of(value: Mapping[str, Any], *, lenient: bool = False) -> NamedChunk:
    """The chunk an object stands for, ignoring fields of an unknown shape; raises `Malformed` where that would lie.

    `lenient` takes only the first element of `choices`, and for text what JavaScript makes text of.
    """
    choices = value.get("choices")
    if isinstance(choices, str) and choices:
        raise Malformed("choices is a string")
    elements = choices if isinstance(choices, list) else []
    if lenient:
        elements = elements[:1]
    return NamedChunk(
        choices=[_choice(c, lenient) for c in elements if truthy(c) and not isinstance(c, list)],
        usage=value.get("usage"),
        error=value.get("error"),
        x_groq=value.get("x_groq"),
        id=_text(value.get("id")),
        model=_text(value.get("model")),
        created=_int(value.get("created")),
    )


def _choice(value: Any, lenient: bool) -> Choice:
    if not isinstance(value, dict):
        raise Malformed("a choice is no object")
    return Choice(
        delta=_delta(value["delta"], lenient) if "delta" in value else UNSET,
        text=_printed(value.get("text")) if lenient else _text(value.get("text")),
        finish_reason=_text(value.get("finish_reason")),
        index=index_of(value),
        logprobs=value.get("logprobs"),
    )


def index_of(choice: Mapping[str, Any]) -> int:
    """Which of the answer's choices it is; one that does not say it is the first."""
    return _int(choice.get("index")) or 0


def _delta(value: Any, lenient: bool) -> Delta | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        return Delta()
    content, thinking = (_printed(value.get("content")), None) if lenient else _parts(value.get("content"))
    return Delta(
        content=content,
        reasoning_content=_text(value.get("reasoning_content")) or thinking,
        reasoning=_text(value.get("reasoning")),
        reasoning_details=value.get("reasoning_details"),
        refusal=_text(value.get("refusal")),
        tool_calls=value.get("tool_calls"),
        function_call=value.get("function_call"),
    )


def _parts(content: Any) -> tuple[str | None, str | None]:
    """Text and thinking of a content; some upstreams send a list of parts."""
    if isinstance(content, str) or not truthy(content):
        return _text(content), None
    if not isinstance(content, list):
        raise Malformed("content is no text")
    parts = [p for p in content if isinstance(p, dict)]
    thinking = [t for p in parts if p.get("type") == "thinking" and isinstance(t := p.get("thinking"), list)]
    return (
        "".join(p["text"] for p in parts if isinstance(p.get("text"), str)),
        "".join(_parts(t)[0] or "" for t in thinking),
    )


def _printed(value: Any) -> str | None:
    return to_string(value) if truthy(value) else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def _int(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _number(digits: str) -> int | float:
    # Python refuses to make integers of thousands of digits; JavaScript makes floats of them
    return int(digits) if len(digits) < 20 else float(digits)


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")
