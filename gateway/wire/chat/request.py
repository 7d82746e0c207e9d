"""Writes a chat request for an upstream."""

from collections.abc import Callable

import msgspec

from gateway.domain import Model, Quirks
from gateway.requests import ChatRequest, Fields
from gateway.wire.chat.fitting import fitted
from gateway.wire.chat.prompt import CHAT_PROMPTS
from gateway.wire.chat.proofs import without_foreign
from gateway.wire.fields import encoded, unsent, written
from gateway.wire.json import decode_value, encode_value


def write_request(request: ChatRequest, model: Model, quirks_for: Callable[[Fields], Quirks] | None) -> bytes:
    """The request's fields as sent and in order, with the model's id, its defaults and the quirks applied.

    Another dialect's request is written from its prompt. Thinking that others have signed stays here. `quirks_for`
    tells the quirks for these fields; without it the model's own apply. Raises `InvalidRequest` for what quirks cannot
    repair.
    """
    given = request.fields if request.dialect == "chat" else _translated(request)
    if (messages := given.get("messages")) is not None and (proper := without_foreign(messages)) is not messages:
        given = {**given, "messages": proper}
    fields = written(given, model, keeps_model=request.keeps_model)
    quirks = model.quirks if quirks_for is None else quirks_for(fields)
    asks = request.adds_usage or (request.stream and request.dialect != "chat")  # others are told without asking
    if asks and "stream_options" not in quirks.omit:
        fields["stream_options"] = asking_for_usage(fields.get("stream_options"))
    gone = unsent(request, model, fields, quirks)
    if gone or request.lost:
        request.lose(gone)
    return encoded(fitted(fields, quirks, choices=request.choices))


def _translated(request: ChatRequest) -> dict[str, msgspec.Raw]:
    fields = request.written_by(CHAT_PROMPTS)
    return {"model": msgspec.Raw(b"null"), **fields, "stream": msgspec.Raw(b"true" if request.stream else b"false")}


def asking_for_usage(given: msgspec.Raw | None) -> msgspec.Raw:
    """The client's options, and usage besides."""
    options = decode_value(given) if given is not None else None
    return encode_value({**(options if isinstance(options, dict) else {}), "include_usage": True})
