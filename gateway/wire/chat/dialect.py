"""The upstream half of OpenAI's chat completions, as nearly everybody speaks it."""

from collections.abc import Callable
from typing import Final

from gateway.domain import Model, Quirks
from gateway.events import Event
from gateway.requests import ChatRequest, Fields
from gateway.wire.chat.answer import read_answer
from gateway.wire.chat.reader import ChatReader
from gateway.wire.chat.request import write_request
from gateway.wire.sse import Sse


class Chat:
    """`POST .../chat/completions`: JSON out, server-sent events in."""

    __slots__ = ()

    name: Final = "chat"

    def framing(self, *, lenient: bool = False) -> Sse:
        """A fresh cutter; lenient replaces invalid UTF-8 by U+FFFD instead of refusing it."""
        return Sse(lenient=lenient)

    def reader(self, *, lenient: bool = False) -> ChatReader:
        """A fresh reader; lenient reads only the first choice and nothing of named events."""
        return ChatReader(lenient=lenient)

    def write_request(
        self, request: ChatRequest, model: Model, quirks_for: Callable[[Fields], Quirks] | None = None
    ) -> bytes:
        """The body to send, with the quirks that `quirks_for` tells for these fields; the model's own without it."""
        return write_request(request, model, quirks_for)

    def read_answer(self, body: bytes, status: int) -> list[Event]:
        """A whole body that is no stream, as events: a completion, or one `Failure`."""
        return read_answer(body, status)


CHAT: Final = Chat()
