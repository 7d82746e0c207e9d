"""Look at a request instead of sending it."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import msgspec

from gateway.errors import Headers


class CapturedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request that was not sent."""

    method: str
    url: str
    headers: Headers
    body: bytes


class Capture:
    """Knows in which contexts requests are looked at."""

    def __init__(self) -> None:
        self._kept: ContextVar[list[CapturedRequest] | None] = ContextVar("captured", default=None)

    @contextmanager
    def __call__(self) -> Iterator[list[CapturedRequest]]:
        """Within this context nothing leaves: each request is kept here and fails as if unreachable."""
        kept: list[CapturedRequest] = []
        token = self._kept.set(kept)
        try:
            yield kept
        finally:
            self._kept.reset(token)

    @property
    def kept(self) -> list[CapturedRequest] | None:
        """Where to keep a request in this context; None = send it."""
        return self._kept.get()
