"""The events of a messages stream as structs: decoded fast where they are as documented, else with care."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from gateway.wire.upstream import Malformed


class Delta(msgspec.Struct, gc=False):
    """What one event adds to a block, or to the message."""

    type: str | None = None
    text: str | None = None
    partial_json: str | None = None
    thinking: str | None = None
    signature: str | None = None
    citation: Any = None
    stop_reason: str | None = None
    stop_sequence: str | None = None


class Said(msgspec.Struct, gc=False):
    """One event, as far as it is looked at."""

    type: str | None = None
    index: int = 0
    delta: Delta | None = None
    content_block: Any = None
    message: Any = None
    usage: Any = None
    error: Any = None


class Skimmed(msgspec.Struct, gc=False):
    """One event, as far as its bytes may pass without it."""

    type: str | None = None


class Block(msgspec.Struct, gc=False):
    """A block of content as it begins, or as a whole."""

    type: str | None = None
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None
    id: str | None = None
    name: str | None = None
    input: Any = None
    citations: Any = None


decode_skimmed: Final = msgspec.json.Decoder(Skimmed).decode
decode_fast: Final = msgspec.json.Decoder(Said).decode
"""Both refuse what is not as documented, lone surrogates too, and do not check the UTF-8 of what they skip."""

_DELTA: Final = tuple(name for name in Delta.__struct_fields__ if name != "citation")
_BLOCK: Final = tuple(name for name in Block.__struct_fields__ if name not in ("input", "citations"))


def said_of(value: Mapping[str, Any]) -> Said:
    """The event an object stands for, ignoring fields of an unknown shape; raises `Malformed` where that would lie."""
    delta, index = value.get("delta"), value.get("index")
    return Said(
        type=_text(value.get("type")),
        index=index if type(index) is int else 0,
        delta=_delta(delta) if isinstance(delta, dict) else None,
        content_block=value.get("content_block"),
        message=value.get("message"),
        usage=value.get("usage"),
        error=value.get("error"),
    )


def block_of(value: Any) -> Block:
    """The block an object stands for, ignoring fields of an unknown shape."""
    if not isinstance(value, dict):
        raise Malformed("a block of content is no object")
    texts = {name: _text(value.get(name)) for name in _BLOCK}
    return Block(**texts, input=value.get("input"), citations=value.get("citations"))


def _delta(value: Mapping[str, Any]) -> Delta:
    for name in ("text", "partial_json", "thinking"):
        if value.get(name) is not None and not isinstance(value[name], str):
            raise Malformed(f"{name} is no text")
    return Delta(**{name: _text(value.get(name)) for name in _DELTA}, citation=value.get("citation"))


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
