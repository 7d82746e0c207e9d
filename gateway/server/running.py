"""One serving process: from the first connection to the drained end."""

import asyncio
import contextlib
import gc
import signal
import socket
from collections.abc import Iterator
from types import FrameType
from typing import Any, Protocol

import uvicorn

from gateway.server.accepting import Acceptor
from gateway.server.protocol import HttpProtocol

KEEP_ALIVE_SECONDS = 75
"""Longer than the idle timeouts of the usual load balancers, so that they close first."""
_LEFTOVER_SECONDS = 2
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Drainable(Protocol):
    """An ASGI application that can be asked to finish, or to take up what changed."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None: ...

    async def drain(self) -> None:
        """Be no longer ready, refuse new work, return when the running work is done or its time is over."""
        ...

    def reload(self) -> None:
        """Begin to read settings and plugins anew; returns at once."""
        ...


def takes_hangups() -> bool:
    """Whether SIGHUP reloads: it does not exist everywhere, and `nohup` asks to ignore it."""
    return hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN


def run(app: Drainable, listener: socket.socket) -> None:
    """Serve until SIGTERM or SIGINT, then drain and return; a second SIGINT ends at once, SIGHUP reloads.

    Raises `SystemExit(3)` when the application does not start.
    """
    config = uvicorn.Config(
        app,
        http=HttpProtocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_LEFTOVER_SECONDS,
    )
    _DrainingServer(config, app).run(sockets=[listener])


class _DrainingServer(uvicorn.Server):
    """Listens on while draining, so that `/health/ready` can say so, and ends without re-raising the signal."""

    def __init__(self, config: uvicorn.Config, app: Drainable) -> None:
        super().__init__(config)
        self._app = app

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the application, then listen in our own way."""
        await super().startup(sockets=[])
        self.servers += [Acceptor(listener, self._protocol) for listener in sockets or ()]  # type: ignore[misc]
        # What is there now stays: each full collection would walk all of it again, in the middle of answers. Nor is it
        # collected before: of 190,000 objects of a start 1,900 are garbage, and to find them takes a twentieth of it.
        gc.freeze()
        gc.enable()

    def _protocol(self) -> HttpProtocol:
        return HttpProtocol(self.config, self.server_state, self.lifespan.state)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        drained = asyncio.create_task(self._app.drain())
        while not self.force_exit and not drained.done():
            await asyncio.wait((drained,), timeout=0.1)
        drained.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await drained
        await super().shutdown(sockets)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle the signals while serving; uvicorn would raise them again and end with exit code -15."""
        before = {number: signal.signal(number, self.handle_exit) for number in _SIGNALS}
        loop = asyncio.get_running_loop()
        if takes_hangups():
            before[signal.SIGHUP] = signal.signal(
                signal.SIGHUP, lambda number, frame: loop.call_soon_threadsafe(self._app.reload)
            )
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        if self.should_exit and sig == signal.SIGINT:
            self.force_exit = True
        self.should_exit = True
