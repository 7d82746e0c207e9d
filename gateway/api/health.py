"""`/health/live` and `/health/ready`: one word and a status, for anyone."""

import time
from collections.abc import Awaitable, Callable, Iterable

from litestar import Response, get
from litestar.handlers import HTTPRouteHandler

from gateway.protocols import Ailing

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


def health_handlers(
    unready: Callable[[], Awaitable[str]],
    draining: Callable[[], bool],
    ailing: Callable[[], Iterable[Ailing]] = lambda: (),
) -> list[HTTPRouteHandler]:
    """The two health routes; `unready` says what is missing, `ailing` what is done without; nothing when all is well.

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
        without = "; ".join(f"{one.plugin}: {one.reason}" for one in ailing())
        return Response(f"ready, but {without}" if without else "ready")

    return [live, ready]
