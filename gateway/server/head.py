"""What a request's head says: where it goes, and the host it names."""

import re
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple
from urllib.parse import unquote

import httptools

is_host: Final = re.compile(rb"[0-9A-Za-z!$&'()*+,;=._~:\[\]@%-]*").fullmatch
"""What a host and its port may be written with (RFC 3986, 3.2.2)."""
_OF_UPGRADES: Final = (b"upgrade", b"http2-settings", b"connection")


class RequestRefusedError(Exception):
    """Raised inside the parser's callbacks; the parser wraps it, the protocol reads status and text from `args`."""


class Target(NamedTuple):
    """A request's target, and what ASGI makes of it."""

    url: bytes
    path: str
    raw_path: bytes
    query: bytes


def target_of(url: bytes, root: str) -> Target:
    """The target of `url` behind the root path of the server; whatever it raises means that it is none."""
    parsed = httptools.parse_url(url)
    path = parsed.path.decode("ascii")
    return Target(
        url,
        root + (unquote(path) if "%" in path else path),
        root.encode("ascii") + parsed.path,
        parsed.query or b"",
    )


def head_size(url: bytes, headers: Iterable[tuple[bytes, bytes]]) -> int:
    """The bytes of a request's target and headers."""
    return len(url) + sum(len(name) + len(value) + 4 for name, value in headers)


def fields_of(headers: Sequence[tuple[bytes, bytes]], method: bytes, version: str) -> dict[bytes, bytes]:
    """The headers by their names; refuses a request that others might read differently, or that is for others."""
    if version not in ("1.0", "1.1"):
        raise RequestRefusedError(400, "The HTTP version is not 1.1.")
    if method == b"CONNECT":
        raise RequestRefusedError(400, "This is no proxy.")
    fields = dict(headers)
    names = () if len(fields) == len(headers) else [name for name, _ in headers]  # if one of them comes twice
    if (b"host" not in fields and version == "1.1") or (names and names.count(b"host") > 1):
        raise RequestRefusedError(400, "A request needs exactly one Host header.")
    # Anything else next to "chunked" is read differently by somebody else on the way (request smuggling).
    if b"transfer-encoding" in fields:
        is_chunked = fields[b"transfer-encoding"].lower() == b"chunked" and names.count(b"transfer-encoding") < 2
        if not is_chunked or version == "1.0":
            raise RequestRefusedError(400, "The Transfer-Encoding is not understood.")
    return fields


def without_upgrade(method: bytes, target: bytes, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The head of the same request, had it not asked for another protocol."""
    kept = (b"%b: %b\r\n" % header for header in headers if header[0] not in _OF_UPGRADES)
    return b"%b %b HTTP/1.1\r\n%b\r\n" % (method, target, b"".join(kept))
