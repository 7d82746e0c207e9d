"""Look at a request instead of sending it."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import msgspec

from gateway.errors import Headers
from gateway.protocols import ByteSink


class CapturedRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request that was not sent."""

    method: str
    url: str
    headers: Headers
    body: bytes


class NoAnswer:
    """What comes back for a request that was not sent: a success that says nothing."""

    status = 200
    headers: Headers = ()

    def start(self, sink: ByteSink) -> None:
        """Tell the sink that this was all."""
        sink.end(None)

    def pause(self) -> None:
        """Nothing comes."""

    def resume(self) -> None:
        """Nothing comes."""

    async def read(self, limit: int) -> bytes:
        """Nothing."""
        return b""

    def close(self) -> None:
        """Nothing is open."""


class Capture:
    """Knows in which contexts requests are looked at."""

    def __init__(self) -> None:
        self._kept: ContextVar[list[CapturedRequest] | None] = ContextVar("captured", default=None)

    @contextmanager
    def __call__(self) -> Iterator[list[CapturedRequest]]:
        """Within this context nothing leaves: each request is kept here and answered by nothing at all."""
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
