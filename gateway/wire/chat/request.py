"""Writes a chat request for an upstream."""

import json
from collections.abc import Mapping

import msgspec

from gateway.domain import Model
from gateway.requests import ChatRequest


def write_request(request: ChatRequest, model: Model) -> bytes:
    """The request's fields as sent and in order, with the model's id, its defaults and its quirks applied."""
    encode = msgspec.json.encode
    fields: dict[str, msgspec.Raw] = dict(request.fields)
    if not request.keeps_model:
        fields["model"] = msgspec.Raw(encode(model.model_id))
    for name, value in model.parameters.items():
        if name not in fields:
            fields[name] = msgspec.Raw(encode(value))
    quirks = model.quirks
    if quirks.omit or quirks.rename:
        fields = _bent(fields, quirks.omit, quirks.rename)
    try:
        return encode(fields)
    except UnicodeEncodeError:  # a lone surrogate in a name
        return (
            b"{" + b",".join(json.dumps(name).encode() + b":" + bytes(value) for name, value in fields.items()) + b"}"
        )


def _bent(fields: Mapping[str, msgspec.Raw], omit: frozenset[str], rename: Mapping[str, str]) -> dict[str, msgspec.Raw]:
    """A field the client gave under both names keeps the one the upstream knows."""
    return {
        rename.get(name, name): value
        for name, value in fields.items()
        if name not in omit and not (name in rename and rename[name] in fields)
    }
