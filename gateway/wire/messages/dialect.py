"""The upstream half of Anthropic's messages."""

from typing import Final

from gateway.domain import Model
from gateway.events import Event
from gateway.requests import ChatRequest
from gateway.wire.messages.answer import read_answer
from gateway.wire.messages.reader import MessagesReader
from gateway.wire.messages.request import write_request
from gateway.wire.sse import Sse


class Messages:
    """`POST .../messages`: JSON out, named server-sent events in."""

    __slots__ = ()

    name: Final = "messages"

    def framing(self, *, lenient: bool = False) -> Sse:
        """A fresh cutter; lenient replaces invalid UTF-8 by U+FFFD instead of refusing it."""
        return Sse(lenient=lenient)

    def reader(self, *, lenient: bool = False) -> MessagesReader:
        """A fresh reader."""
        return MessagesReader()

    def write_request(self, request: ChatRequest, model: Model) -> bytes:
        """The body to send."""
        return write_request(request, model)

    def read_answer(self, body: bytes, status: int) -> list[Event]:
        """A whole body that is no stream, as events: a message, or one `Failure`."""
        return read_answer(body, status)


MESSAGES: Final = Messages()
