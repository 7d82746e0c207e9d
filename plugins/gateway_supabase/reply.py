"""What PostgREST answers: a row, or a refusal with Postgres's code."""

from typing import Any, Final, NamedTuple

import msgspec

from gateway import Model, Secret

_UNSAID: Final = 4096
"""The default of a column that is never null: the form has it for every model, so it says nothing."""


class Refusal(NamedTuple):
    """PostgREST's error object."""

    code: str
    message: str


class NotARow(Exception):
    """The answer is neither a row nor a refusal."""


def read_reply(status: int, body: bytes) -> Model | Refusal:
    """The model or the refusal in an answer; raises `NotARow` for anything else."""
    try:
        reply: object = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise NotARow("the answer is no JSON") from None
    if not isinstance(reply, dict):
        raise NotARow("the answer is no JSON object")
    if 200 <= status < 300:
        return _model(reply)
    code, message = reply.get("code"), reply.get("message")
    return Refusal(code if isinstance(code, str) else "", message if isinstance(message, str) else "")


def _model(row: dict[str, Any]) -> Model:
    """The row as a model; columns that may be null or odd without harm fall back to their defaults."""
    id, owner, length = row.get("id"), row.get("user_id"), row.get("context_length")
    if not isinstance(id, str) or not isinstance(owner, str | None):
        raise NotARow("the row has no usable id or user_id")
    return Model(
        id=id,
        name=_text(row, "name") or id,
        model_id=_text(row, "model_id"),
        base_url=_text(row, "base_url"),
        api_key=Secret(_text(row, "api_key")),
        owner=owner,
        sharing=_text(row, "sharing") or "private",
        description=_text(row, "description"),
        context_length=length if type(length) is int and length != _UNSAID else None,
    )


def _text(row: dict[str, Any], column: str) -> str:
    value = row.get(column)
    return value if isinstance(value, str) else ""
