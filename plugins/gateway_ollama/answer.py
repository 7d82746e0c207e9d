"""Reads a body that was not announced as a stream."""

import msgspec

from gateway import Event, Failure
from gateway.wire.json import decode_said
from gateway.wire.lines import Lines
from gateway.wire.upstream import ERRORS
from gateway_ollama.reader import OllamaReader, failure_of, malformed


def read_answer(body: bytes, status: int) -> list[Event]:
    """A whole answer, or the lines of one: some proxies give them another type. Anything else is one `Failure`."""
    reader = OllamaReader()
    try:
        said = decode_said(body)
    except ValueError:
        return _lines(body, status, reader)
    if said.get("error") or status in ERRORS:
        return [failure_of(said, status=status)]
    if "message" in said and "done" in said:
        return reader.said(said)
    return [_neither(body, status)]


def _lines(body: bytes, status: int, reader: OllamaReader) -> list[Event]:
    framing = Lines(limit=len(body) + 1)
    frames = [*framing.feed(body), *framing.end()]
    events = [event for frame in frames for event in reader.read(frame)]
    if status in ERRORS or (events and isinstance(events[0], Failure) and events[0].code == "upstream_protocol"):
        return [_neither(body, status)]
    return events


def _neither(body: bytes, status: int) -> Failure:
    failure = malformed("The upstream's answer is neither a stream nor an answer of Ollama.")
    return msgspec.structs.replace(failure, status=status if status in ERRORS else 502, native=body)
