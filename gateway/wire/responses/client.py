"""The client half of OpenAI's responses: `POST /v1/responses`."""

import re
from typing import Any, Final

from gateway.errors import GatewayError, Headers, InvalidRequest
from gateway.requests import ChatRequest, Fields
from gateway.wire.envelope import error_answer
from gateway.wire.json import decode_object, decode_value
from gateway.wire.responses.prompt import RESPONSES_PROMPTS
from gateway.wire.responses.writer import ResponsesWriter


class ResponsesClient:
    """Reads requests strictly where the gateway needs to know, and leaves all else to the upstream."""

    __slots__ = ()

    name: str = "responses"
    headers: Headers = (("content-type", "text/event-stream; charset=utf-8"), ("cache-control", "no-cache"))
    lenient: bool = False
    clock: Final = "openai-processing-ms"
    continues: Final = "previous_response_id"
    """The field that names an earlier answer, which only the upstream that made it knows."""

    def read_request(self, body: bytes) -> ChatRequest:
        """The request; raises `InvalidRequest` saying what is wrong and where."""
        fields = decode_object(body)
        model = _said(fields, "model")
        if not isinstance(model, str) or not model:
            raise InvalidRequest("'model' must be the name of a model.", param="model")
        for name, kind, what in _CHECKED:
            said = _said(fields, name)
            if said is not None and not isinstance(said, kind):
                raise InvalidRequest(f"'{name}' must be {what}.", param=name)
        given = bytes(fields.get("input", b"")).lstrip()
        if not given.startswith((b"[", b'"')) and not (given in (b"", b"null") and fields.keys() & _INSTEAD):
            raise InvalidRequest("'input' must be a string or an array.", param="input")
        stream = _said(fields, "stream")
        return ChatRequest(
            dialect="responses",
            model=model,
            stream=bool(stream),
            fields=fields,
            codec=RESPONSES_PROMPTS,
            bound=_bound(fields, given),
        )

    def writer(self, request: ChatRequest, upstream: str) -> ResponsesWriter:
        """A fresh writer for an answer of the upstream dialect of that name."""
        return ResponsesWriter(request, upstream=upstream)

    def error(self, error: GatewayError) -> tuple[int, Headers, bytes]:
        """Status, headers and body of a failure before the stream."""
        return error_answer(error)


RESPONSES_CLIENT: Final = ResponsesClient()

_KEPT: Final = ("previous_response_id", "conversation", "background", "prompt")
_REFERENCE: Final = re.compile(rb'"type"\s*:\s*"(?:item_reference|compaction)"')
_INSTEAD: Final = frozenset(("prompt", "previous_response_id", "conversation"))
"""What may be said in the place of an input."""
_CHECKED: Final[tuple[tuple[str, type, str], ...]] = (
    ("stream", bool, "true or false"),
    ("store", bool, "true or false"),
    ("background", bool, "true or false"),
    ("previous_response_id", str, "the id of a response"),
)


def _bound(fields: Fields, given: bytes) -> tuple[str, ...]:
    """What only an upstream with a memory can honour."""
    named = [name for name in _KEPT if name in fields and bytes(fields[name]) not in (b"null", b"false")]
    return (*named, "input") if _REFERENCE.search(given) else tuple(named)


def _said(fields: Fields, name: str) -> Any:
    raw = fields.get(name)
    return None if raw is None else decode_value(raw)
