"""Proofs of thinking that a maker of another dialect gave: marked on their way through a chat client and back.

Thinking names its maker in `format`. The signature of a call stands where Google's own endpoint for chat has it, and
beside it `gateway.maker`, where it came from elsewhere: a chat upstream is not shown what is not its own.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from gateway.wire.json import decode_value, encode_value

_Json = dict[str, Any]
_DETAILS: Final = b'"reasoning_details"'
_SIGNATURE: Final = b'"thought_signature"'
_FOREIGN: Final = re.compile(r"messages|responses|[a-z0-9_]+\.[a-z0-9_.]+")
"""The names of our other dialects: those of plugins have a dot in them, and no service's own `format` does."""


def signed(signature: str, maker: str | None) -> _Json:
    """A call's `extra_content`."""
    marks = {"gateway": {"maker": maker}} if maker and maker != "chat" else {}
    return {"google": {"thought_signature": signature}, **marks}


def signature_of(call: Mapping[str, Any]) -> str | None:
    """What a call's `extra_content` holds of it."""
    extra = call.get("extra_content")
    google = extra.get("google") if isinstance(extra, dict) else None
    signature = google.get("thought_signature") if isinstance(google, dict) else None
    return signature if isinstance(signature, str) and signature else None


def is_foreign(maker: Any) -> bool:
    """Whether a proof is that of a maker who speaks another dialect."""
    return isinstance(maker, str) and _FOREIGN.fullmatch(maker) is not None


def without_foreign(messages: msgspec.Raw) -> msgspec.Raw:
    """The messages as a chat upstream may see them; those without foreign proofs keep their bytes."""
    said = bytes(messages)
    if _DETAILS not in said and _SIGNATURE not in said:
        return messages
    value = decode_value(messages)
    kept = [_message(message) for message in value] if isinstance(value, list) else value
    return messages if kept == value else encode_value(kept)


def _message(message: Any) -> Any:
    if not isinstance(message, dict):
        return message
    out = dict(message)
    details, calls = message.get("reasoning_details"), message.get("tool_calls")
    if isinstance(details, list):
        own = [one for one in details if not (isinstance(one, dict) and is_foreign(one.get("format")))]
        if own != details:
            out["reasoning_details"] = own
            if not own:
                del out["reasoning_details"]
    if isinstance(calls, list):
        out["tool_calls"] = [_call(call) for call in calls]
    return out


def _call(call: Any) -> Any:
    extra = call.get("extra_content") if isinstance(call, dict) else None
    ours = extra.get("gateway") if isinstance(extra, dict) else None
    if extra is None or not isinstance(ours, dict) or not is_foreign(ours.get("maker")):
        return call
    rest = {name: said for name, said in extra.items() if name not in ("gateway", "google")}
    out = {name: said for name, said in call.items() if name != "extra_content"}
    return {**out, "extra_content": rest} if rest else out
