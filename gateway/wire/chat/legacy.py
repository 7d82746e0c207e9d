"""OpenAI's legacy completions, both halves: a chat's frames with `text` in the place of `delta`."""

import os
from typing import Any, Final

import msgspec

from gateway.domain import Model, Quirks
from gateway.errors import GatewayError, Headers, InvalidRequest
from gateway.events import Event
from gateway.requests import ChatRequest, Fields
from gateway.wire.chat.answer import read_answer
from gateway.wire.chat.client import asks_for_usage, choices_of, model_name, streams
from gateway.wire.chat.legacy_prompt import LEGACY_PROMPTS
from gateway.wire.chat.legacy_writer import LegacyWriter
from gateway.wire.chat.reader import ChatReader
from gateway.wire.chat.request import asking_for_usage
from gateway.wire.envelope import error_answer
from gateway.wire.fields import bent, encoded, unsent, written
from gateway.wire.json import decode_object, decode_value
from gateway.wire.sse import Sse

_MEANINGLESS: Final = {"echo": (None, False), "logprobs": (None, False), "suffix": (None, "")}
"""What only a model that completes text can be asked, and the values with which nothing is asked."""


class Legacy:
    """`POST .../completions`, for upstreams that have it still."""

    __slots__ = ()

    name: str = "completions"

    def framing(self, *, lenient: bool = False) -> Sse:
        """A fresh cutter; lenient replaces invalid UTF-8 by U+FFFD instead of refusing it."""
        return Sse(lenient=lenient)

    def reader(self, *, lenient: bool = False) -> ChatReader:
        """A fresh reader; lenient reads only the first choice and nothing of named events."""
        return ChatReader(lenient=lenient)

    def write_request(self, request: ChatRequest, model: Model) -> bytes:
        """The body to send. Of the quirks only what is left out applies: the new names are those of chats."""
        fields = written(request.fields, model, keeps_model=request.keeps_model)
        if request.adds_usage:
            fields["stream_options"] = asking_for_usage(fields.get("stream_options"))
        quirks = Quirks(omit=model.quirks.omit)
        request.lose(unsent(request, model, fields, quirks))
        return encoded(bent(fields, quirks))

    def read_answer(self, body: bytes, status: int) -> list[Event]:
        """A whole body that is no stream, as events: a completion, or one `Failure`."""
        return read_answer(body, status)


class LegacyClient:
    """`POST /v1/completions`."""

    name: str = "completions"
    headers: Headers = (("content-type", "text/event-stream; charset=utf-8"), ("cache-control", "no-cache"))
    lenient: bool = False
    clock: Final = "openai-processing-ms"

    def read_request(self, body: bytes) -> ChatRequest:
        """The request; raises `InvalidRequest` saying what is wrong and where."""
        fields = decode_object(body)
        stream = streams(fields)
        prompts, is_text = _prompts(fields)
        bound = [name for name, idle in _MEANINGLESS.items() if name in fields and _value(fields, name) not in idle]
        return ChatRequest(
            dialect="completions",
            model=model_name(fields),
            stream=stream,
            fields=fields,
            path="/completions",
            choices=choices_of(fields) * prompts,
            codec=LEGACY_PROMPTS,
            bound=(*(() if prompts == 1 and is_text else ("prompt",)), *bound),
            adds_usage=stream and not asks_for_usage(fields),
        )

    def writer(self, request: ChatRequest, upstream: str) -> LegacyWriter:
        """A fresh writer for an answer of the upstream dialect of that name."""
        id = f"cmpl-{os.urandom(12).hex()}"
        return LegacyWriter(id=id, model=request.model, upstream=upstream, usage=asks_for_usage(request.fields))

    def error(self, error: GatewayError) -> tuple[int, Headers, bytes]:
        """Status, headers and body of a failure before the stream."""
        return error_answer(error)


LEGACY: Final = Legacy()
LEGACY_CLIENT: Final = LegacyClient()


def _prompts(fields: Fields) -> tuple[int, bool]:
    """How many there are, and whether they are text rather than tokens; without one the upstream has its own."""
    raw = fields.get("prompt", msgspec.Raw(b"null"))
    first = bytes(raw).lstrip()[:1]
    if first in (b'"', b"n"):
        return 1, first == b'"'
    given = decode_value(raw)
    if not isinstance(given, list) or not given:
        raise InvalidRequest("'prompt' must be a string, or an array of strings or of tokens.", param="prompt")
    if isinstance(given[0], int):
        return 1, False
    return len(given), all(isinstance(one, str) for one in given)


def _value(fields: Fields, name: str) -> Any:
    value = decode_value(fields[name])
    return value if isinstance(value, bool | str | None) else ...
