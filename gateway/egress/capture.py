"""Look at a request instead of sending it."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

import msgspec

from gateway.errors import Headers


class CapturedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request that was not sent."""

    method: str
    url: str
    headers: Headers
    body: bytes


CAPTURE: Final[ContextVar[list[CapturedRequest] | None]] = ContextVar("gateway_egress_capture", default=None)


@contextmanager
def capture() -> Iterator[list[CapturedRequest]]:
    """Within this context nothing leaves: `EgressClient.send` keeps each request here and fails as if unreachable."""
    captured: list[CapturedRequest] = []
    token = CAPTURE.set(captured)
    try:
        yield captured
    finally:
        CAPTURE.reset(token)
