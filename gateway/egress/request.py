"""A request's head as bytes, and what may not stand in it."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from gateway.egress.faults import not_dialled
from gateway.egress.url import Target
from gateway.errors import Headers
from gateway.headers import TOKEN, VALUE

_OWN: Final = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Headers of the connection, not of the request: a caller's are left out, ours are sent where they are needed."""
_BODILESS: Final = frozenset({"DELETE", "GET", "HEAD", "OPTIONS"})


def request_head(method: str, target: Target, headers: Headers, length: int) -> bytes:
    """The head of a request with a body of `length` bytes.

    Raises `UpstreamUnreachable` for a method, name or value that cannot be sent as it is; nothing was sent then.
    """
    block = header_lines(headers)
    size = b"content-length: %d\r\n" % length if length or method not in _BODILESS else b""
    return b"%s %s HTTP/1.1\r\nhost: %s\r\n%saccept-encoding: identity\r\n%s\r\n" % (
        _method(method),
        target.path,
        target.authority,
        block,
        size,
    )


class Prepared(tuple[tuple[str, str], ...]):
    """Headers that many requests carry: written once."""

    lines: bytes | None = None
    """As they are sent, once they were."""


def header_lines(headers: Headers) -> bytes:
    """The headers' lines, without those that are the connection's business; raises `UpstreamUnreachable`."""
    if type(headers) is not Prepared:
        return _written(headers)
    if headers.lines is None:
        headers.lines = _written(headers)
    return headers.lines


def _written(headers: Headers) -> bytes:
    lines: list[str] = []
    for name, value in headers:
        start = _line_start(name)
        if start:
            lines.append(f"{start}{value}\r\n")
        else:
            _encode((value,), ends=0)  # Left out, yet a sign of an attack if no header could hold it.
    return _encode(lines, ends=len(lines))


@lru_cache(maxsize=64)
def _method(method: str) -> bytes:
    if not method or not TOKEN.issuperset(method):
        raise not_dialled("the method is no token")
    return method.encode("ascii")


@lru_cache(maxsize=512)
def _line_start(name: str) -> str:
    """The beginning of the header's line; empty for those that are the connection's business."""
    if not name or not TOKEN.issuperset(name):
        raise not_dialled("a header name is no token")
    return "" if name.lower() in _OWN else f"{name}: "


def _encode(texts: Sequence[str], *, ends: int) -> bytes:
    """The texts as bytes; what no value may hold must be exactly the ends of so many lines."""
    try:
        data = "".join(texts).encode("latin-1")
    except UnicodeEncodeError as error:
        raise not_dialled("a header value has characters beyond Latin-1") from error
    if data.translate(None, VALUE) != b"\r\n" * ends:
        raise not_dialled("a header value has control characters")
    return data
