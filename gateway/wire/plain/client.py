"""The client half of requests that are no chat."""

from collections.abc import Callable
from typing import Any, Final, TypeAlias

import msgspec

from gateway.errors import GatewayError, Headers, InvalidRequest, UnknownUrl
from gateway.requests import ChatRequest
from gateway.wire.envelope import error_answer
from gateway.wire.json import decode_object, decode_value
from gateway.wire.plain.form import Form, is_form
from gateway.wire.plain.writer import PlainWriter

_ErrorWriter: TypeAlias = Callable[[GatewayError], tuple[int, Headers, bytes]]
_MOST_ANSWERS: Final = 128
_Fields: TypeAlias = dict[str, msgspec.Raw]


class PlainClient:
    """Reads of one request what the gateway needs, its model; made anew for each, because forms name their boundary.

    `name` is the dialect that an upstream has to speak. Where a path is not `known` to be served, a request that
    carries no model is `UnknownUrl`.
    """

    __slots__ = ("_content_type", "_error", "_known", "forwards", "name", "path")

    headers: Headers = ()
    lenient: bool = False
    clock: Final = "openai-processing-ms"

    def __init__(
        self,
        path: str,
        *,
        content_type: str = "",
        known: bool = True,
        name: str = "plain",
        forwards: tuple[str, ...] = (),
        error: _ErrorWriter = error_answer,
    ) -> None:
        self.path = path
        """Below the base URL."""
        self.name = name
        self.forwards = forwards
        self._content_type = content_type
        self._known = known
        self._error = error

    def read_request(self, body: bytes) -> ChatRequest:
        """The request; raises `InvalidRequest` saying what is wrong and where."""
        try:
            fields, form = self._read(body)
            model = _said(fields, "model")
            if not isinstance(model, str) or not model:
                raise InvalidRequest("'model' must be the name of one model.", param="model")
        except InvalidRequest as error:
            if self._known:
                raise
            raise UnknownUrl(f"Nothing is served at /v1{self.path} for a request that names no model.") from error
        answers = _said(fields, "n")
        return ChatRequest(
            dialect=self.name,
            model=model,
            stream=_said(fields, "stream") in (True, "true", "True", "1"),
            fields=fields,
            choices=answers if type(answers) is int and 1 <= answers <= _MOST_ANSWERS else 1,
            path=self.path,
            body=body if form else b"",
            headers=(("content-type", self._content_type if form else "application/json"), ("accept", "*/*")),
        )

    def writer(self, request: ChatRequest, upstream: str) -> PlainWriter:
        """A fresh writer for an answer of the upstream dialect of that name."""
        return PlainWriter()

    def error(self, error: GatewayError) -> tuple[int, Headers, bytes]:
        """Status, headers and body of a failure before the answer."""
        return self._error(error)

    def _read(self, body: bytes) -> tuple[_Fields, bool]:
        if not is_form(self._content_type):
            return decode_object(body), False
        form = Form(body, self._content_type)
        if form.has_file("model"):
            raise InvalidRequest("'model' must be the name of a model, not a file.", param="model")
        return form.fields, True


def _said(fields: _Fields, name: str) -> Any:
    raw = fields.get(name)
    return None if raw is None else decode_value(raw)
