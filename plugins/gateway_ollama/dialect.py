"""The upstream half of Ollama's own API."""

from typing import TYPE_CHECKING, Final

from gateway import ChatRequest, Event, Model, UpstreamDialect
from gateway.wire.lines import Lines
from gateway_ollama.answer import read_answer
from gateway_ollama.reader import OllamaReader
from gateway_ollama.request import write_request


class Ollama:
    """`POST /api/chat`: JSON out, lines of JSON in."""

    __slots__ = ()

    name: Final = "ollama"
    media_type: Final = "application/x-ndjson"

    def framing(self, *, lenient: bool = False) -> Lines:
        """A fresh cutter; lenient replaces invalid UTF-8 by U+FFFD instead of refusing it."""
        return Lines(lenient=lenient)

    def reader(self, *, lenient: bool = False) -> OllamaReader:
        """A fresh reader."""
        return OllamaReader()

    def write_request(self, request: ChatRequest, model: Model) -> bytes:
        """The body to send."""
        return write_request(request, model)

    def read_answer(self, body: bytes, status: int) -> list[Event]:
        """A body that was not announced as a stream, as events: a whole answer, or one `Failure`."""
        return read_answer(body, status)


OLLAMA: Final = Ollama()

if TYPE_CHECKING:
    _: type[UpstreamDialect] = Ollama
