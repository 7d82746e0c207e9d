"""Answers that an upstream keeps: fetched, cancelled and deleted by their ids, and passed as they are kept."""

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import parse_qsl, urlencode

import msgspec

from gateway.domain import Model
from gateway.errors import GatewayError, Headers
from gateway.events import Answer, End, Event, Failure, Finish, Frame, Opaque
from gateway.requests import ChatRequest
from gateway.wire.envelope import error_answer, failure_error
from gateway.wire.sse import Sse

NAME: Final = "responses.kept"
_LAST: Final = ("response.completed", "response.failed", "response.incomplete", "response.cancelled", "error")
"""The types of events after which none comes."""
_ASKED: Final = frozenset(
    ("after", "before", "include", "include[]", "include_obfuscation", "limit", "order", "starting_after", "stream")
)
"""What the upstream sees of the URL: anything else may be a credential of the client's."""


class _Said(msgspec.Struct, gc=False):
    type: Any = None


_decode: Final = msgspec.json.Decoder(_Said).decode


class KeptClient:
    """The client half of one request; made anew for each, because all it says is in its URL."""

    __slots__ = ("_answer", "_method", "_query", "_rest")

    name: str = NAME
    headers: Headers = ()
    lenient: bool = False
    clock: Final = "openai-processing-ms"

    def __init__(self, answer: str, method: str, *, rest: str = "", query: str = "") -> None:
        """`answer` is its id as the client knows it, `rest` what the path says behind it."""
        self._answer = answer
        self._method = method
        self._rest = rest
        self._query = [(name, value) for name, value in parse_qsl(query) if name in _ASKED]

    def read_request(self, body: bytes) -> ChatRequest:
        """The request; whose model it is for is known by the answer."""
        mark = "?" if self._query else ""
        return ChatRequest(
            dialect=NAME,
            model="",
            stream=("stream", "true") in self._query,
            fields={},
            path=f"{self._rest}{mark}{urlencode(self._query)}",
            method=self._method,
            answer=self._answer,
        )

    def writer(self, request: ChatRequest, upstream: str) -> "KeptWriter":
        """A fresh writer for an answer of the upstream dialect of that name."""
        return KeptWriter()

    def error(self, error: GatewayError) -> tuple[int, Headers, bytes]:
        """Status, headers and body of a failure before the answer."""
        return error_answer(error)


class KeptWriter:
    """Writes the failure of an event stream; everything else is the upstream's."""

    __slots__ = ()

    end_marker: Final = b""
    ping: Final = b": ping\n\n"

    def write(self, events: Sequence[Event]) -> bytes:
        """Nothing: a kept answer is not written anew."""
        return b""

    def failure(self, failure: Failure) -> bytes:
        """The visible end of a broken event stream, its fields flat and nested as in a response that is made."""
        error = failure_error(failure)
        flat = {name: error[name] for name in ("code", "message", "param")}
        return b"event: error\ndata: " + msgspec.json.encode({"type": "error", **flat, "error": error}) + b"\n\n"

    def answer(self, answer: Answer) -> bytes:
        """Nothing, as `write`."""
        return b""


class KeptReader:
    """Reads no more of the frames than which is the last: their tokens were counted when the answer was made."""

    __slots__ = ()

    def read(self, frame: Frame) -> list[Event]:
        """The end that the frame tells; else `Opaque`."""
        if frame.data is None:
            return [Opaque(kind="comment", source=frame)]
        if frame.data[:6] == b"[DONE]":
            return [End(source=frame)]
        if (said := _look(frame.data)) is None:
            return [Failure(code="upstream_protocol", message=_NO_JSON, source=frame)]
        if (said.type or frame.name) in _LAST:
            return [Finish(reason="stop", source=frame), End(source=frame)]
        return [Opaque(kind="passing", source=frame)]


class Kept:
    """The upstream half: requests without a body, answered by JSON or by an event stream."""

    __slots__ = ()

    name: str = NAME

    def framing(self, *, lenient: bool = False) -> Sse:
        """A fresh cutter of event streams; lenient replaces invalid UTF-8 by U+FFFD instead of refusing it."""
        return Sse(lenient=lenient)

    def reader(self, *, lenient: bool = False) -> KeptReader:
        """A fresh reader."""
        return KeptReader()

    def write_request(self, request: ChatRequest, model: Model) -> bytes:
        """No body at all."""
        return b""

    def read_answer(self, body: bytes, status: int) -> list[Event]:
        """The end of a JSON body, whatever became of the response that it tells of; anything else is a `Failure`."""
        if _look(body) is None:
            return [Failure(code="upstream_protocol", message=_NO_JSON, native=body)]
        return [End()]


KEPT: Final = Kept()
_NO_JSON: Final = "The upstream's answer is no JSON, though it says so."


def _look(data: bytes) -> _Said | None:
    try:
        if not data.isascii():
            data.decode()
        return _decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
