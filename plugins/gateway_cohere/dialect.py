"""The upstream half of Cohere's chat, version 2."""

from typing import TYPE_CHECKING, Final

from gateway import ChatRequest, Event, Model, UpstreamDialect
from gateway.wire.sse import Sse
from gateway_cohere.answer import read_answer
from gateway_cohere.reader import CohereReader
from gateway_cohere.request import write_request


class Cohere:
    """`POST /v2/chat`: JSON out, typed server-sent events in."""

    __slots__ = ()

    name: Final = "cohere"

    def framing(self, *, lenient: bool = False) -> Sse:
        """A fresh cutter; lenient replaces invalid UTF-8 by U+FFFD instead of refusing it."""
        return Sse(lenient=lenient)

    def reader(self, *, lenient: bool = False) -> CohereReader:
        """A fresh reader."""
        return CohereReader()

    def write_request(self, request: ChatRequest, model: Model) -> bytes:
        """The body to send."""
        return write_request(request, model)

    def read_answer(self, body: bytes, status: int) -> list[Event]:
        """A whole body that is no stream, as events: an answer, or one `Failure`."""
        return read_answer(body, status)


COHERE: Final = Cohere()

if TYPE_CHECKING:
    _: type[UpstreamDialect] = Cohere
