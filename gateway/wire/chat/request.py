"""Writes a chat request for an upstream."""

import json
from collections.abc import Mapping

import msgspec

from gateway.domain import Model
from gateway.prompt import Prompt
from gateway.requests import ChatRequest
from gateway.wire.chat.prompt import CHAT_PROMPTS
from gateway.wire.json import decode_value, encode_value


def write_request(request: ChatRequest, model: Model) -> bytes:
    """The request's fields as sent and in order, with the model's id, its defaults and its quirks applied.

    Another dialect's request is written from its prompt.
    """
    encode = msgspec.json.encode
    fields = dict(request.fields) if request.dialect == "chat" else _translated(request)
    if not request.keeps_model:
        fields["model"] = msgspec.Raw(encode(model.model_id))
    for name, value in model.parameters.items():
        if name not in fields:
            fields[name] = msgspec.Raw(encode(value))
    if request.adds_usage and "stream_options" not in model.quirks.omit:
        fields["stream_options"] = _asking_for_usage(fields.get("stream_options"))
    quirks = model.quirks
    if quirks.omit or quirks.rename:
        fields = _bent(fields, quirks.omit, quirks.rename)
    try:
        return encode(fields)
    except UnicodeEncodeError:  # a lone surrogate in a name
        return (
            b"{" + b",".join(json.dumps(name).encode() + b":" + bytes(value) for name, value in fields.items()) + b"}"
        )


def _translated(request: ChatRequest) -> dict[str, msgspec.Raw]:
    written = CHAT_PROMPTS.write(request.prompt, Prompt(), {})
    fields = {name: value for name, value in written.fields.items() if value is not None}
    return {"model": msgspec.Raw(b"null"), **fields, "stream": msgspec.Raw(b"true" if request.stream else b"false")}


def _asking_for_usage(given: msgspec.Raw | None) -> msgspec.Raw:
    """The client's options, and usage besides."""
    options = decode_value(given) if given is not None else None
    return encode_value({**(options if isinstance(options, dict) else {}), "include_usage": True})


def _bent(fields: Mapping[str, msgspec.Raw], omit: frozenset[str], rename: Mapping[str, str]) -> dict[str, msgspec.Raw]:
    """A field the client gave under both names keeps the one the upstream knows."""
    return {
        rename.get(name, name): value
        for name, value in fields.items()
        if name not in omit and not (name in rename and rename[name] in fields)
    }
