"""The client half of OpenAI's chat completions: `POST /v1/chat/completions`."""

import os
from typing import Final

import msgspec

from gateway.errors import GatewayError, Headers, InvalidRequest
from gateway.requests import ChatRequest, Fields
from gateway.wire.chat.prompt import CHAT_PROMPTS
from gateway.wire.chat.writer import ChatWriter
from gateway.wire.envelope import error_answer
from gateway.wire.json import decode_object, decode_value

_MOST_CHOICES: Final = 128
_NOTHING: Final = msgspec.Raw(b"")


class ChatClient:
    """Reads requests strictly where the gateway needs to know, and leaves all else to the upstream."""

    name: str = "chat"
    headers: Headers = (("content-type", "text/event-stream; charset=utf-8"), ("cache-control", "no-cache"))
    lenient: bool = False
    clock: Final = "openai-processing-ms"

    def read_request(self, body: bytes) -> ChatRequest:
        """The request; raises `InvalidRequest` saying what is wrong and where."""
        fields = decode_object(body)
        stream, choices = streams(fields), choices_of(fields)
        if bytes(memoryview(fields.get("messages", _NOTHING))[:1]) != b"[":
            raise InvalidRequest("'messages' must be an array.", param="messages")
        return ChatRequest(
            dialect="chat",
            model=model_name(fields),
            stream=stream,
            fields=fields,
            choices=choices,
            codec=CHAT_PROMPTS,
            adds_usage=stream and not asks_for_usage(fields),
        )

    def writer(self, request: ChatRequest, upstream: str) -> ChatWriter:
        """A fresh writer for an answer of the upstream dialect of that name."""
        id = f"chatcmpl-{os.urandom(12).hex()}"
        return ChatWriter(id=id, model=request.model, upstream=upstream, usage=asks_for_usage(request.fields))

    def error(self, error: GatewayError) -> tuple[int, Headers, bytes]:
        """Status, headers and body of a failure before the stream."""
        return error_answer(error)


CHAT_CLIENT: Final = ChatClient()


def model_name(fields: Fields) -> str:
    """The `model` of a request's fields; raises `InvalidRequest`."""
    raw = fields.get("model")
    model = None if raw is None else decode_value(raw)
    if not isinstance(model, str) or not model:
        raise InvalidRequest("'model' must be the name of a model.", param="model")
    return model


def streams(fields: Fields) -> bool:
    """Whether the client wants a stream; raises `InvalidRequest`."""
    raw = fields.get("stream")
    if raw is None:
        return False
    stream = decode_value(raw)
    if stream is not None and not isinstance(stream, bool):
        raise InvalidRequest("'stream' must be true or false.", param="stream")
    return bool(stream)


def choices_of(fields: Fields) -> int:
    """How many choices the client wants; raises `InvalidRequest`."""
    raw = fields.get("n")
    if raw is None:
        return 1
    choices = decode_value(raw)
    if choices is not None and not (type(choices) is int and 1 <= choices <= _MOST_CHOICES):
        raise InvalidRequest(f"'n' must be an integer from 1 to {_MOST_CHOICES}.", param="n")
    return choices or 1


def asks_for_usage(fields: Fields) -> bool:
    """Whether the client wants the chunk with usage (`stream_options.include_usage`)."""
    raw = fields.get("stream_options")
    if raw is None:
        return False
    options = decode_value(raw)
    return isinstance(options, dict) and options.get("include_usage") is True
