"""Reads a whole response that came instead of a stream."""

from typing import Final

from gateway.events import Event, Failure
from gateway.wire.responses.failure import failure_of
from gateway.wire.responses.reader import ResponsesReader
from gateway.wire.upstream import ERRORS, Malformed, parse_object

_BOM: Final = b"\xef\xbb\xbf"


def read_answer(body: bytes, status: int) -> list[Event]:
    """A response as events up to its `End`; anything else is one `Failure` that carries the body or its error.

    One that goes on in the background ends without having finished.
    """
    try:
        value = parse_object(body.removeprefix(_BOM))
        if value.get("error"):
            return [failure_of(value["error"], status=status)]
        unfinished = value.get("status") in ("queued", "in_progress") and value.get("background") is not True
        if status not in ERRORS and isinstance(value.get("output"), list) and not unfinished:
            return ResponsesReader().whole(value)
    except Malformed:
        pass
    return [
        Failure(
            code="upstream_protocol",
            message="The upstream's answer is neither a stream nor a response.",
            status=status if status in ERRORS else 502,
            native=body,
        )
    ]
