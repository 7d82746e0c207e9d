"""The client half of Anthropic's messages: `POST /v1/messages`."""

import os
from typing import Any, Final

import msgspec

from gateway.errors import GatewayError, Headers, InvalidRequest
from gateway.requests import ChatRequest, Fields
from gateway.wire.json import decode_object, decode_value
from gateway.wire.messages.errors import error_envelope
from gateway.wire.messages.prompt import MESSAGES_PROMPTS
from gateway.wire.messages.writer import MessagesWriter


class MessagesClient:
    """Reads requests strictly where the gateway needs to know, and leaves all else to the upstream."""

    __slots__ = ()

    name: str = "messages"
    headers: Headers = (("content-type", "text/event-stream; charset=utf-8"), ("cache-control", "no-cache"))
    lenient: bool = False
    forwards: Final = ("anthropic-beta",)
    """Headers of the client that say what its request may contain."""

    def read_request(self, body: bytes) -> ChatRequest:
        """The request; raises `InvalidRequest` saying what is wrong and where."""
        fields = decode_object(body)
        model = _said(fields, "model")
        if not isinstance(model, str) or not model:
            raise InvalidRequest("'model' must be the name of a model.", param="model")
        if not bytes(fields.get("messages", msgspec.Raw(b""))).lstrip().startswith(b"["):
            raise InvalidRequest("'messages' must be an array.", param="messages")
        most = _said(fields, "max_tokens")
        if type(most) is not int or most < 0:  # 0 only fills the upstream's cache
            raise InvalidRequest("'max_tokens' must be an integer of at least 0.", param="max_tokens")
        stream = _said(fields, "stream")
        if stream is not None and not isinstance(stream, bool):
            raise InvalidRequest("'stream' must be true or false.", param="stream")
        return ChatRequest(dialect="messages", model=model, stream=bool(stream), fields=fields, codec=MESSAGES_PROMPTS)

    def writer(self, request: ChatRequest, upstream: str) -> MessagesWriter:
        """A fresh writer for an answer of the upstream dialect of that name."""
        return MessagesWriter(id=f"msg_{os.urandom(12).hex()}", model=request.model, upstream=upstream)

    def error(self, error: GatewayError) -> tuple[int, Headers, bytes]:
        """Status, headers and body of a failure before the stream."""
        return error_envelope(error)


MESSAGES_CLIENT: Final = MessagesClient()


def _said(fields: Fields, name: str) -> Any:
    raw = fields.get(name)
    return None if raw is None else decode_value(raw)
