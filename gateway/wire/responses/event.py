"""The events of a responses stream as structs: decoded fast where they are as documented, else with care."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec


class Skimmed(msgspec.Struct, gc=False):
    """One event, as far as its bytes may pass without it."""

    type: str | None = None
    sequence_number: int = 0


class Delta(Skimmed, gc=False):
    """One event that only goes on with a part."""

    output_index: int | None = None
    content_index: int = 0
    summary_index: int = 0
    item_id: str | None = None
    delta: str | None = None
    logprobs: Any = None


class Said(Delta, gc=False):
    """One event, as far as it is looked at."""

    text: str | None = None
    refusal: str | None = None
    arguments: str | None = None
    input: str | None = None
    annotation: Any = None
    item: Any = None
    response: Any = None
    error: Any = None
    code: Any = None
    message: Any = None


decode_skimmed: Final = msgspec.json.Decoder(Skimmed).decode
decode_fast: Final = msgspec.json.Decoder(Said).decode
"""Both refuse what is not as documented, lone surrogates too, and do not check the UTF-8 of what they skip."""

_TEXTS: Final = ("type", "item_id", "delta", "text", "refusal", "arguments", "input")
_COUNTS: Final = ("sequence_number", "output_index", "content_index", "summary_index")
_REST: Final = ("logprobs", "annotation", "item", "response", "error", "code", "message")


def said_of(value: Mapping[str, Any]) -> Said:
    """The event an object stands for, ignoring fields of an unknown shape."""
    said: dict[str, Any] = {name: value.get(name) for name in _REST}
    said |= {name: text for name in _TEXTS if isinstance(text := value.get(name), str)}
    said |= {name: count for name in _COUNTS if type(count := value.get(name)) is int}
    return Said(**said)
