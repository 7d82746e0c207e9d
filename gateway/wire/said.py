"""What an upstream's error says, whoever wrote it: OpenAI's envelope, FastAPI's `detail`, bare messages, lists."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

_LARGEST: Final = 1 << 16
"""Bytes of an error that are worth reading."""


def error_in(body: bytes) -> Mapping[str, Any]:
    """The error object of a body, with a `message` in words where there is any; empty when the body tells nothing.

    `type`, `code` and `param` are as they came: some upstreams count their codes, some spell them.
    """
    try:
        value = msgspec.json.decode(body[:_LARGEST])
    except (msgspec.DecodeError, RecursionError):
        return {}
    if isinstance(value, list) and value:  # Google's compatible endpoint
        value = value[0]
    return error_of(value) if isinstance(value, dict) else {}


def error_of(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """The same for an object that was read already."""
    said = value.get("error", value)
    if isinstance(errors := value.get("errors"), list) and errors and said is value:
        said = errors[0]
    if isinstance(said, str):
        kind = value.get("type", value.get("error_type"))
        said = {"message": said, "type": kind, "code": value.get("code"), "param": value.get("param")}
    if not isinstance(said, dict):
        return {}
    message = next((said[name] for name in ("message", "detail", "msg") if said.get(name)), None)
    if message is None or isinstance(message, str):
        return said if "message" in said or message is None else {**said, "message": message}
    return {"param": _place(message), **said, "message": words(message)}


def words(value: Any) -> str:
    """A message that may be a list of what a validation found, as one text."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        inner = next((value[name] for name in ("message", "msg", "detail") if value.get(name)), None)
        if inner is not None:
            where = _loc(value)
            return f"{where}: {words(inner)}" if where else words(inner)
    if isinstance(value, list) and value:
        return "; ".join(words(one) for one in value)
    return msgspec.json.encode(value).decode()


def found_by_validation(message: Any) -> list[Mapping[str, Any]]:
    """What pydantic's validation says of each field, as FastAPI and those built on it report it."""
    if isinstance(message, dict):
        message = message.get("detail")
    return [one for one in message if isinstance(one, dict) and "loc" in one] if isinstance(message, list) else []


def _place(message: Any) -> str | None:
    return next((where for one in found_by_validation(message) if (where := _loc(one))), None)


def _loc(found: Mapping[str, Any]) -> str:
    loc = found.get("loc")
    return ".".join(str(part) for part in loc if part != "body") if isinstance(loc, list | tuple) else ""
