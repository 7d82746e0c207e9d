"""One serving process: from the first connection to the drained end."""

import asyncio
import contextlib
import gc
import logging
import multiprocessing
import os
import signal
import socket
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any, Protocol

import uvicorn

from gateway.server.accepting import Acceptor, make_room
from gateway.server.ending import Ending, Insistence
from gateway.server.link import Link, Word
from gateway.server.protocol import CLOSE, HttpProtocol
from gateway.server.signals import ENDS, RESTARTS, let_go, takes_hangups

KEEP_ALIVE_SECONDS = 75
"""Longer than the idle timeouts of the usual load balancers, so that they close first."""
_LEFTOVER_SECONDS = 2
_LOOK = 0.5
"""Seconds between two looks whether a new worker is ready."""
_YOUNG = 50_000
"""New objects after which garbage is looked for, instead of 700. An exchange that runs has some three hundred, which
are no garbage, and one that is over leaves none. At 5,000 a flood spent a tenth of its time looking."""
_log = logging.getLogger("gateway.server")


class Drainable(Protocol):
    """An ASGI application that can be asked to finish, or to take up what changed."""

    @property
    def drain_seconds(self) -> float:
        """How long what runs may go on when the server ends."""
        ...

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None: ...

    async def drain(self, hurry: asyncio.Event) -> None:
        """Be no longer ready, refuse new work, return when the running work is done or was ended.

        It is ended when its time is over, or when `hurry` is set.
        """
        ...

    async def unready(self) -> str:
        """What it lacks to serve; nothing when it is ready."""
        ...

    def reload(self) -> None:
        """Begin to read settings and plugins anew; returns at once."""
        ...


def run(app: Drainable, listener: socket.socket, link: Link | None = None) -> None:
    """Serve until SIGTERM or SIGINT, then drain and return; a second one ends what runs, a third one the process.

    SIGHUP reloads. With a `link` it is one of several workers, and signals are for the supervisor to decide on.

    Raises `SystemExit(3)` when the application does not start.
    """
    make_room()
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
    _DrainingServer(config, app, link).run(sockets=[listener])


class _DrainingServer(uvicorn.Server):
    """Listens on while draining, so that `/health/ready` can say so, and ends without re-raising the signal.

    One that leaves, because another worker takes its place, accepts nobody any more and refuses nothing.
    """

    def __init__(self, config: uvicorn.Config, app: Drainable, link: Link | None) -> None:
        super().__init__(config)
        self._app = app
        self._link = link
        self._hurry = asyncio.Event()
        self._leaving = False
        self._insistence = Insistence()
        self._told: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the application, then listen in our own way."""
        await super().startup(sockets=[])
        self.servers += [Acceptor(listener, self._protocol) for listener in sockets or ()]  # type: ignore[misc]
        # What is there now stays: each full collection would walk all of it again, in the middle of answers. Nor is it
        # collected before: of 190,000 objects of a start 1,900 are garbage, and to find them takes a twentieth of it.
        gc.freeze()
        gc.set_threshold(_YOUNG)
        gc.enable()
        if self._link is not None:
            self._link.open(self._obey)
            self._told = asyncio.create_task(self._tell_ready(self._link), name="tell when ready")

    def _protocol(self) -> HttpProtocol:
        return HttpProtocol(self.config, self.server_state, self.lifespan.state)

    async def _tell_ready(self, link: Link) -> None:
        told = None
        while told != "":
            if (reason := await self._app.unready()) != told:
                link.say(Word.UNREADY if reason else Word.READY, reason)
                told = reason
            await asyncio.sleep(_LOOK)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Leave, if others take over; drain; then end as uvicorn does."""
        if self._told is not None:
            self._told.cancel()
        self._answer_last()
        if self._leaving:
            await self._leave()
        await self._app.drain(self._hurry)
        await super().shutdown(sockets)

    def _answer_last(self) -> None:
        """From now on every answer that begins says that it is its connection's last."""
        state = self.server_state
        state.default_headers = [*state.default_headers, CLOSE]
        for connection in state.connections:
            if isinstance(connection, HttpProtocol):
                connection.answer_last()

    async def _leave(self) -> None:
        """Accept nobody any more, and serve those who are here until each had an answer that said `close`.

        A connection that waits for its next request is not closed under the client's hands: that request gets the
        answer, unless the client or the usual limit for idle connections closes before.
        """
        for acceptor in self.servers:
            acceptor.close()
            await acceptor.wait_closed()
        _log.info("leaving", extra={"fields": {"pid": os.getpid(), "count": len(self.server_state.connections)}})
        loop = asyncio.get_running_loop()
        until = loop.time() + self._app.drain_seconds
        while self._leaving and self.server_state.connections and not self._hurry.is_set():
            if loop.time() > until:
                self._hurry.set()
            await asyncio.sleep(0.1)

    def _obey(self, word: Word) -> None:
        """Do what the supervisor says."""
        if word is Word.HURRY:
            self._hurry.set()
        self._leaving = word is Word.LEAVE and not self.should_exit
        self.should_exit = True

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle the signals while serving; uvicorn would raise them again and end with exit code -15."""
        loop = asyncio.get_running_loop()
        takers: dict[int, Callable[[int, FrameType | None], None]] = {}
        for end in ENDS:
            takers[end] = lambda number, frame: self._end(number, loop)
        if takes_hangups():
            takers[signal.SIGHUP] = lambda number, frame: _soon(loop, self._app.reload)
        if RESTARTS is not None:
            takers[RESTARTS] = lambda number, frame: _soon(loop, self._refuse_restart)
        before = {number: signal.signal(number, taker) for number, taker in takers.items()}
        try:
            yield
        finally:
            let_go(before, self._insistence)

    def _end(self, number: int, loop: asyncio.AbstractEventLoop) -> None:
        """Not in the loop, which something may be holding up: the third signal ends that, too."""
        if self._link is not None and self._link.say(Word.END):
            return
        ending = self._insistence.again()
        if ending is Ending.NOW:
            os._exit(128 + number)
        if ending is Ending.HURRY:
            _soon(loop, self._hurry.set)
        self._leaving = False
        self.should_exit = True

    def _refuse_restart(self) -> None:
        if self._link is not None and (supervisor := multiprocessing.parent_process()) is not None:
            reason = f"workers are replaced by their supervisor: send it the signal (process {supervisor.pid})"
        else:
            reason = "one process cannot be replaced while it serves: start the gateway with --workers 2 or more"
        _log.warning("restart_refused", extra={"fields": {"reason": reason}})


def _soon(loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> None:
    loop.call_soon_threadsafe(call)
