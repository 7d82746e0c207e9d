"""Reads a whole answer that came instead of a stream."""

from typing import Final

import msgspec

from gateway.events import End, Event, Failure, Finish
from gateway.wire.upstream import ERRORS
from gateway_gemini.chunk import Chunk, Malformed, chunk_of, parse, read_chunk
from gateway_gemini.failure import error_in, failure_of
from gateway_gemini.reader import GeminiReader

_BOM: Final = b"\xef\xbb\xbf"
_decode_all: Final = msgspec.json.Decoder(list[Chunk]).decode


def read_answer(body: bytes, status: int) -> list[Event]:
    """An answer as events up to its `End`; anything else is one `Failure` that carries the body or its error.

    An array of chunks is an answer, too: what a stream is that was not asked to be server-sent events.
    """
    body = body.removeprefix(_BOM).strip()
    events: list[Event] = []
    try:
        if (error := error_in(parse(body))) is not None:
            return [failure_of(error)]
        if status not in ERRORS:
            reader = GeminiReader()
            events = [event for chunk in _chunks(body) for event in reader.events(chunk, None)]
    except Malformed:
        events = []
    failure = next((event for event in events if isinstance(event, Failure)), None)
    if failure is not None:
        return [failure]
    finished = any(isinstance(event, Finish) for event in events)
    if not finished:
        return [
            Failure(
                code="upstream_protocol",
                message="The upstream's answer is neither a stream nor a whole answer of Gemini.",
                status=status if status in ERRORS else 502,
                native=body,
            )
        ]
    return events if isinstance(events[-1], End) else [*events, End()]


def _chunks(body: bytes) -> list[Chunk]:
    if body[:1] != b"[":
        return [chunk_of(body)]
    try:
        return _decode_all(body)
    except (msgspec.DecodeError, RecursionError):
        return [read_chunk(one) for one in parse(body)]
