"""`/health/live` and `/health/ready`: one word and a status, for anyone."""

import time
from collections.abc import Awaitable, Callable

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler

_CACHED_SECONDS = 1.0


class _Readiness:
    """Answers whether the gateway should get traffic; asks at most once a second, however often it is asked."""

    def __init__(self, check: Callable[[], Awaitable[str]]) -> None:
        self._check = check
        self._unready = "not checked yet"
        self._fresh_until = 0.0

    async def __call__(self) -> str:
        """What the last check, at most a second old, found missing; empty where everything is in order."""
        now = time.monotonic()
        if now >= self._fresh_until:
            self._fresh_until = now + _CACHED_SECONDS
            self._unready = await self._check()
        return self._unready


def health_handlers(unready: Callable[[], Awaitable[str]], draining: Callable[[], bool]) -> list[HTTPRouteHandler]:
    """The two health routes; `unready` says what is missing, and nothing when all is there.

    A draining gateway is not ready from that moment on.
    """
    readiness = _Readiness(unready)

    @get("/health/live", opt={"public": True}, media_type="text/plain")
    async def live() -> str:
        return "ok"

    @get("/health/ready", opt={"public": True}, media_type="text/plain")
    async def ready() -> Response[str]:
        if draining():
            return Response("draining", status_code=503)
        if reason := await readiness():
            return Response(f"not ready: {reason}", status_code=503)
        return Response("ready")

    return [live, ready]
