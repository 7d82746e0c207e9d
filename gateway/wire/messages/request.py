"""Writes a messages request for an upstream."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from gateway.domain import Model
from gateway.requests import ChatRequest
from gateway.wire.fields import bent, encoded, unsent, written
from gateway.wire.json import decode_value, encode_value
from gateway.wire.marks import FOREIGN, is_foreign
from gateway.wire.messages.prompt import MESSAGES_PROMPTS

MOST_TOKENS: Final = 4096
"""The limit where neither the client nor the model's parameters give one: messages upstreams want to be told."""


THINKING_TOKENS: Final = 16384
"""What is added to it where the model thinks and nobody said how much."""


def write_request(request: ChatRequest, model: Model) -> bytes:
    """The request's fields as sent and in order, with the model's id, its defaults and its quirks applied.

    Another dialect's request is written from its prompt. Thinking that another upstream has signed stays here.
    """
    fields = request_fields(request, model)
    request.lose(unsent(request, model, fields, model.quirks))
    return encoded(bent(fields, model.quirks))


def request_fields(request: ChatRequest, model: Model) -> dict[str, msgspec.Raw]:
    """The fields to send, before the quirks."""
    if request.dialect != "messages":
        return _limited(written(_translated(request), model, keeps_model=request.keeps_model))
    return without_foreign_proofs(written(request.fields, model, keeps_model=request.keeps_model))


def without_foreign_proofs(fields: dict[str, msgspec.Raw]) -> dict[str, msgspec.Raw]:
    """The fields without thinking that another upstream has signed."""
    messages = fields.get("messages")
    if messages is None or not FOREIGN.search(bytes(messages)):
        return fields
    return {**fields, "messages": encode_value(_kept(decode_value(messages)))}


def _translated(request: ChatRequest) -> dict[str, msgspec.Raw]:
    fields = request.written_by(MESSAGES_PROMPTS)
    model = request.fields.get("model", msgspec.Raw(b"null"))  # goes out where the client names the upstream's model
    return {"model": model, **fields, "stream": msgspec.Raw(b"true" if request.stream else b"false")}


def _limited(fields: dict[str, msgspec.Raw]) -> dict[str, msgspec.Raw]:
    """With `max_tokens`; what the model may think comes on top of what it may say."""
    if "max_tokens" not in fields:
        thinking = decode_value(fields["thinking"]) if "thinking" in fields else None
        fields["max_tokens"] = encode_value(MOST_TOKENS + _thinking_tokens(thinking))
    return fields


def _thinking_tokens(thinking: Any) -> int:
    if not isinstance(thinking, dict) or thinking.get("type") == "disabled":
        return 0
    budget = thinking.get("budget_tokens")
    return budget if isinstance(budget, int) else THINKING_TOKENS


def _kept(messages: list[Any]) -> list[Any]:
    out = []
    for message in messages:
        content = message.get("content") if isinstance(message, dict) else None
        if isinstance(content, list):
            kept = [block for block in content if not _is_foreign(block)]
            if not kept and content:
                continue
            message = {**message, "content": kept}
        out.append(message)
    return out


def _is_foreign(block: Any) -> bool:
    said: Mapping[str, Any] = block if isinstance(block, dict) else {}
    proof = {"thinking": said.get("signature"), "redacted_thinking": said.get("data")}.get(str(said.get("type")))
    return isinstance(proof, str) and is_foreign(proof)
