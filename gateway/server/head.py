"""What a request's head says: where it goes, and the host it names."""

import re
from typing import Final, NamedTuple
from urllib.parse import unquote

import httptools

is_host: Final = re.compile(rb"[0-9A-Za-z!$&'()*+,;=._~:\[\]@%-]*").fullmatch
"""What a host and its port may be written with (RFC 3986, 3.2.2)."""


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
