"""What is told to those for whom there is no room, for next to nothing.

At three times the load that can be carried two of three requests are refused: what a refusal costs is taken from the
answers of the others.
"""

import itertools
import os
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final, Protocol

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from gateway.api.refusal import Refusal
from gateway.pipeline.admission import AGAIN

BODY_LIMIT: Final = 65_536
"""Bytes of a body that is read for nothing, so that the connection of a request that is turned away can be kept."""
_HEAD: Final = re.compile(rb"POST (/[!-~]*) HTTP/1\.1(?=\r\n)(?:\r\n[!-9;-~]+: ?[ -~]*)+\r\n\r\n").match
_LENGTH: Final = b"\r\ncontent-length: "
_NAME: Final = b"x-request-id: "

_names: Final = itertools.count(int.from_bytes(os.urandom(14), "big"))
"""Requests that are refused get names in turn: to draw one by lot is a system call."""


class Entrance(Protocol):
    """What an application that may be full says as `application.entrance`."""

    def is_full(self) -> bool:
        """Requests at some paths are refused now."""
        ...

    def refusal(self, path: str) -> Refusal | None:
        """The refusal of a POST to this path; None = it may be let in."""
        ...

    def admit(self, path: str) -> Refusal | bool:
        """Let a POST to this path in, or say why not.

        True = it is expected from now on: its scope's `extensions["litestar_gateway"]` has to say so.
        """
        ...


class _Open:
    """The entrance of an application that is never full."""

    def is_full(self) -> bool:
        return False

    def refusal(self, path: str) -> Refusal | None:
        return None

    def admit(self, path: str) -> Refusal | bool:
        return False


OPEN: Final[Entrance] = _Open()


def plain_target(read: bytes) -> str | None:
    """The target of a POST if this is one, whole, with nothing behind it, that leaves its connection as it was.

    None stands for "who knows": the parser does, which takes five times as long.
    """
    head = _HEAD(read)
    if head is None or len(read) - head.end() > BODY_LIMIT:
        return None
    lines = read[head.end(1) : head.end()].lower()
    at = lines.find(_LENGTH)
    digits = lines[at + len(_LENGTH) : lines.find(b"\r", at + 2)]
    if at < 0 or not digits.isdigit() or head.end() + int(digits) != len(read):
        return None
    if lines.count(b"\r\ncontent-length") > 1 or b"\r\nhost: " not in lines:
        return None
    if b"\r\ntransfer-encoding" in lines or b"\r\nexpect" in lines or b"\r\nupgrade" in lines:
        return None
    if lines.count(b"\r\nconnection") != lines.count(b"\r\nconnection: keep-alive\r\n"):
        return None
    return head[1].decode("ascii")


def turned_away(refused: Refusal) -> bytes:
    """The bytes of a refusal that says when to come again, with a name of its own."""
    before, behind = _around_name(refused)
    return b"%b%032x%b" % (before, next(_names), behind)


@lru_cache(maxsize=64)
def _around_name(refused: Refusal) -> tuple[bytes, bytes]:
    whole = written(refused, ("retry-after", str(round(AGAIN))), ("x-request-id", ""))
    at = whole.index(_NAME) + len(_NAME)
    return whole[:at], whole[at:]


def written(refused: Refusal, *more: tuple[str, str]) -> bytes:
    """The bytes of a refusal."""
    headers: Sequence[tuple[str, Any]] = (
        ("content-type", refused.media_type),
        ("content-length", len(refused.body)),
        *more,
    )
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
    return STATUS_LINE[refused.status] + lines.encode("ascii") + b"\r\n" + refused.body
