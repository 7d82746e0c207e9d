"""`/health/live` and `/health/ready`: one word and a status, for anyone."""

import time
from collections.abc import Awaitable, Callable

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler

_CACHED_SECONDS = 1.0


class _Readiness:
    """Answers whether the gateway should get traffic; asks at most once a second, however often it is asked."""

    def __init__(self, check: Callable[[], Awaitable[bool]]) -> None:
        self._check = check
        self._ready = False
        self._fresh_until = 0.0

    async def __call__(self) -> bool:
        """Whether the last check, at most a second old, found everything in order."""
        now = time.monotonic()
        if now >= self._fresh_until:
            self._fresh_until = now + _CACHED_SECONDS
            self._ready = await self._check()
        return self._ready


def health_handlers(ready: Callable[[], Awaitable[bool]], draining: Callable[[], bool]) -> list[HTTPRouteHandler]:
    """The two health routes; a draining gateway is not ready from that moment on."""
    is_ready = _Readiness(ready)

    @get("/health/live", opt={"public": True}, media_type="text/plain")
    async def live() -> str:
        return "ok"

    @get("/health/ready", opt={"public": True}, media_type="text/plain")
    async def readiness() -> Response[str]:
        if draining():
            return Response("draining", status_code=503)
        if await is_ready():
            return Response("ready")
        return Response("not ready", status_code=503)

    return [live, readiness]
