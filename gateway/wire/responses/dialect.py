"""The upstream half of OpenAI's responses."""

from collections.abc import Callable
from typing import Final

from gateway.domain import Model, Quirks
from gateway.events import Event
from gateway.requests import ChatRequest, Fields
from gateway.wire.responses.answer import read_answer
from gateway.wire.responses.reader import ResponsesReader
from gateway.wire.responses.request import write_request
from gateway.wire.sse import Sse


class Responses:
    """`POST .../responses`: JSON out, named server-sent events in."""

    __slots__ = ()

    name: Final = "responses"

    def framing(self, *, lenient: bool = False) -> Sse:
        """A fresh cutter; lenient replaces invalid UTF-8 by U+FFFD instead of refusing it."""
        return Sse(lenient=lenient)

    def reader(self, *, lenient: bool = False) -> ResponsesReader:
        """A fresh reader."""
        return ResponsesReader()

    def write_request(
        self, request: ChatRequest, model: Model, quirks_for: Callable[[Fields], Quirks] | None = None
    ) -> bytes:
        """The body to send; `quirks_for` says the quirks of the fields, else they are the model's."""
        return write_request(request, model, quirks_for)

    def read_answer(self, body: bytes, status: int) -> list[Event]:
        """A whole body that is no stream, as events: a response, or one `Failure`."""
        return read_answer(body, status)


RESPONSES: Final = Responses()
