"""The upstream half of requests that are no chat."""

from typing import Final

from gateway.domain import Model
from gateway.events import Event
from gateway.requests import ChatRequest
from gateway.wire.fields import bent, encoded, unsent, written
from gateway.wire.plain.form import Form
from gateway.wire.plain.reader import PlainReader, read_body
from gateway.wire.sse import Sse


class Plain:
    """`POST` of JSON or a form, answered by JSON, by an event stream, or by bytes of any kind."""

    __slots__ = ()

    name: str = "plain"

    def framing(self, *, lenient: bool = False) -> Sse:
        """A fresh cutter of event streams; lenient replaces invalid UTF-8 by U+FFFD instead of refusing it."""
        return Sse(lenient=lenient)

    def reader(self, *, lenient: bool = False) -> PlainReader:
        """A fresh reader."""
        return PlainReader()

    def write_request(self, request: ChatRequest, model: Model) -> bytes:
        """The body to send: as it came, with the model's id, its defaults and its quirks applied."""
        fields = written(request.fields, model, keeps_model=request.keeps_model)
        request.lose(unsent(request, model, fields, model.quirks))
        fields = bent(fields, model.quirks)
        if not request.body:
            return encoded(fields)
        return Form(request.body, dict(request.headers)["content-type"]).with_fields(fields)

    def read_answer(self, body: bytes, status: int) -> list[Event]:
        """A JSON body: its usage and its end, or one `Failure`."""
        return read_body(body)


PLAIN: Final = Plain()
