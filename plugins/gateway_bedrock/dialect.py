"""The upstream half of Amazon's Converse."""

from typing import TYPE_CHECKING, Final

from gateway import ChatRequest, Event, Model, UpstreamDialect
from gateway_bedrock.answer import read_answer
from gateway_bedrock.framing import EventStream
from gateway_bedrock.messages import DIALECT
from gateway_bedrock.reader import ConverseReader
from gateway_bedrock.request import write_request


class Converse:
    """`POST /model/{id}/converse-stream`: JSON out, binary messages in."""

    __slots__ = ()

    name: Final = DIALECT
    media_type: Final = "application/vnd.amazon.eventstream"

    def framing(self, *, lenient: bool = False) -> EventStream:
        """A fresh cutter; lenient replaces invalid UTF-8 by U+FFFD instead of refusing it."""
        return EventStream(lenient=lenient)

    def reader(self, *, lenient: bool = False) -> ConverseReader:
        """A fresh reader."""
        return ConverseReader()

    def write_request(self, request: ChatRequest, model: Model) -> bytes:
        """The body to send."""
        return write_request(request, model)

    def read_answer(self, body: bytes, status: int) -> list[Event]:
        """A whole body that is no stream, as events: an answer of Converse, or one `Failure`."""
        return read_answer(body, status)


CONVERSE: Final = Converse()

if TYPE_CHECKING:
    _: type[UpstreamDialect] = Converse
