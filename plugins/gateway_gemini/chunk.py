"""The chunks of a Gemini stream as structs: decoded fast where they are as documented, else with care."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from gateway.wire.json import decode_value, encode_value

_NONE: Final = msgspec.Raw(b"{}")


class Malformed(ValueError):
    """The data is nothing a Gemini upstream may send."""


class FunctionCall(msgspec.Struct, gc=False):
    """A call, always whole; `args` is JSON as it was spelled."""

    id: str | None = None
    name: str | None = None
    args: msgspec.Raw = _NONE

    @property
    def arguments(self) -> str:
        """The arguments as JSON text; an empty object where there are none."""
        text = bytes(self.args).decode()
        return text if text[:1] == "{" else "{}"


class Part(msgspec.Struct, gc=False, rename="camel"):
    """A piece of the answer; one that has neither text nor a call is of a kind of its own."""

    text: str | None = None
    thought: bool | None = None
    thought_signature: str | None = None
    function_call: FunctionCall | None = None


class Content(msgspec.Struct, gc=False):
    """What one candidate says."""

    parts: list[Part] | None = None


class Candidate(msgspec.Struct, gc=False, rename="camel"):
    """One choice, as far as this chunk tells of it."""

    content: Content | None = None
    finish_reason: str | None = None
    finish_message: str | None = None
    index: int = 0
    grounding_metadata: Any = None
    citation_metadata: Any = None
    logprobs_result: Any = None


class Chunk(msgspec.Struct, gc=False, rename="camel"):
    """One event of a stream, or a whole answer."""

    candidates: list[Candidate] | None = None
    prompt_feedback: Any = None
    usage_metadata: Any = None
    error: Any = None
    model_version: str | None = None
    response_id: str | None = None


_decode: Final = msgspec.json.Decoder(Chunk).decode
"""Refuses what is not as documented, lone surrogates too, and does not check the UTF-8 of what it skips."""


def chunk_of(data: bytes) -> Chunk:
    """The chunk that the data is; raises `Malformed`."""
    try:
        if not data.isascii():
            data.decode()
        return _decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return read_chunk(parse(data))


def parse(data: bytes) -> Any:
    """A JSON value, lone surrogates included; raises `Malformed`."""
    try:
        return decode_value(data.decode().encode())
    except (ValueError, RecursionError) as error:
        raise Malformed(str(error)) from error


def read_chunk(value: Any) -> Chunk:
    """The chunk a value stands for, ignoring fields of an unknown shape; raises `Malformed` where that would lie."""
    said = _object(value, "an event")
    candidates = said.get("candidates")
    if candidates is not None and not isinstance(candidates, list):
        raise Malformed("candidates is no array")
    return Chunk(
        candidates=[_candidate(candidate) for candidate in candidates or ()],
        prompt_feedback=said.get("promptFeedback"),
        usage_metadata=said.get("usageMetadata"),
        error=said.get("error"),
        model_version=_text(said.get("modelVersion")),
        response_id=_text(said.get("responseId")),
    )


def _candidate(value: Any) -> Candidate:
    said = _object(value, "a candidate")
    content = said.get("content")
    parts = _object(content, "the content").get("parts") if content is not None else None
    if parts is not None and not isinstance(parts, list):
        raise Malformed("parts is no array")
    index = said.get("index")
    return Candidate(
        content=Content([_part(part) for part in parts or ()]),
        finish_reason=_text(said.get("finishReason")),
        finish_message=_text(said.get("finishMessage")),
        index=index if type(index) is int else 0,
        grounding_metadata=said.get("groundingMetadata"),
        citation_metadata=said.get("citationMetadata"),
        logprobs_result=said.get("logprobsResult"),
    )


def _part(value: Any) -> Part:
    said = _object(value, "a part")
    words, call = said.get("text"), said.get("functionCall")
    if words is not None and not isinstance(words, str):
        raise Malformed("text is no text")
    return Part(
        text=words,
        thought=said.get("thought") is True,
        thought_signature=_text(said.get("thoughtSignature")),
        function_call=None if call is None else _call(_object(call, "a call")),
    )


def _call(said: Mapping[str, Any]) -> FunctionCall:
    args = said.get("args")
    return FunctionCall(
        id=_text(said.get("id")),
        name=_text(said.get("name")),
        args=encode_value(args) if isinstance(args, dict) else _NONE,
    )


def _object(value: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise Malformed(f"{what} is no object")
    return value


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
