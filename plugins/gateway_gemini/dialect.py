"""The upstream half of Gemini's `generateContent`."""

from typing import TYPE_CHECKING, Final

from gateway import ChatRequest, Model, UpstreamDialect
from gateway.events import Event
from gateway.wire.sse import Sse
from gateway_gemini.answer import read_answer
from gateway_gemini.reader import GeminiReader
from gateway_gemini.request import write_request
from gateway_gemini.turns import MAKER


class Gemini:
    """`POST .../models/{model}:streamGenerateContent?alt=sse`: JSON out, server-sent events without an end in."""

    __slots__ = ()

    name: Final = MAKER

    def framing(self, *, lenient: bool = False) -> Sse:
        """A fresh cutter; lenient replaces invalid UTF-8 by U+FFFD instead of refusing it."""
        return Sse(lenient=lenient)

    def reader(self, *, lenient: bool = False) -> GeminiReader:
        """A fresh reader."""
        return GeminiReader()

    def write_request(self, request: ChatRequest, model: Model) -> bytes:
        """The body to send."""
        return write_request(request, model)

    def read_answer(self, body: bytes, status: int) -> list[Event]:
        """A whole body that is no stream, as events: an answer, or one `Failure`."""
        return read_answer(body, status)


GEMINI: Final = Gemini()

if TYPE_CHECKING:
    _: type[UpstreamDialect] = Gemini
