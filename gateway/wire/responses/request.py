"""Writes a responses request for an upstream."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from gateway.domain import Model, Quirks
from gateway.requests import ChatRequest
from gateway.wire.fields import bent, encoded, unsent, written
from gateway.wire.json import decode_value, encode_value
from gateway.wire.marks import FOREIGN, is_foreign
from gateway.wire.responses.prompt import RESPONSES_PROMPTS


def write_request(
    request: ChatRequest, model: Model, quirks_for: Callable[[Mapping[str, msgspec.Raw]], Quirks] | None = None
) -> bytes:
    """The request's fields as sent and in order, with the model's id, its defaults and its quirks applied.

    Another dialect's request is written from its prompt. Thinking that another upstream has signed stays here.
    """
    given = request.fields if request.dialect == "responses" else _translated(request)
    fields = written(given, model, keeps_model=request.keeps_model)
    items = fields.get("input")
    if items is not None and FOREIGN.search(bytes(items)):
        fields["input"] = encode_value(_without_foreign_proofs(decode_value(items)))
    quirks = model.quirks if quirks_for is None else quirks_for(fields)
    request.lose(unsent(request, model, fields, quirks))
    return encoded(bent(fields, quirks))


def _translated(request: ChatRequest) -> dict[str, msgspec.Raw]:
    fields = request.written_by(RESPONSES_PROMPTS)
    return {"model": msgspec.Raw(b"null"), **fields, "stream": msgspec.Raw(b"true" if request.stream else b"false")}


def _without_foreign_proofs(items: Any) -> Any:
    return [item for item in items if not _is_foreign(item)] if isinstance(items, list) else items


def _is_foreign(item: Any) -> bool:
    said: Mapping[str, Any] = item if isinstance(item, dict) and item.get("type") == "reasoning" else {}
    proof = said.get("encrypted_content")
    return isinstance(proof, str) and is_foreign(proof)
