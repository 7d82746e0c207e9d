"""What is measured at one go, and the bytes it is measured with."""

import re
import urllib.request
from collections.abc import Sequence

import msgspec

_EVENT = re.compile(rb".*?\n\n", re.S)
LENGTH = 601
"""Pieces of text of the stream that is fed."""
STREAM = f"bench-{LENGTH}-0"
COMPLETION = "bench-1-0"
"""What the upstream is asked for, and the names of the models."""
_STREAMED = {"stream": True, "stream_options": {"include_usage": True}}
"""As the gateway asks, too."""


class Window(msgspec.Struct, frozen=True):
    """So many units of one kind."""

    title: str
    together: int = 0
    """Pieces that one read brings; 0: whole short answers, one after the other,"""
    units: int = 0
    """and how many."""


WINDOWS = (
    Window("Per request", units=20),
    Window("Per chunk, one event a read", together=1),
    Window("Per chunk, twenty events a read", together=20),
)


class Order(msgspec.Struct, frozen=True):
    """What one gateway is told before it starts, beside its environment."""

    stream: str
    """Files with what is fed,"""
    completion: str
    key: str
    """with the key,"""
    plugins: Sequence[str]
    """and with the plugins."""


def fetched(base_url: str, model: str, *, stream: bool) -> bytes:
    """The body of what the upstream answers, as it would come out of egress."""
    body = msgspec.json.encode({"model": model, "messages": [], **(_STREAMED if stream else {})})
    request = urllib.request.Request(f"{base_url}/chat/completions", body, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        whole: bytes = answer.read()
        return whole


def reads(stream: bytes, together: int) -> Sequence[bytes]:
    """The stream as reads: what opens it with its first piece, so many pieces each, what ends it; 0: one in all."""
    events = _EVENT.findall(stream)
    pieces = [event for event in events if b"#" in event]
    opening, closing = events[: events.index(pieces[0])], events[events.index(pieces[-1]) + 1 :]
    first, rest = pieces[0], pieces[1:] if together else []
    middle = [b"".join(rest[at : at + together]) for at in range(0, len(rest), together or 1)]
    return [b"".join([*opening, first]), *middle, b"".join(closing)]
