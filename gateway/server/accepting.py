"""Taking up connections: a few at a time, and none while there are no descriptors for them."""

import asyncio
import errno
import fcntl
import logging
import os
import resource
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Final

_FEW: Final = 16
"""Connections in one turn of the loop: the other workers want some, and those that are here want their turn."""
_MANY: Final = 1024
"""The same when they come faster, twice as many each turn: who waits in the kernel cannot be told anything, and a
question for health waits with them."""
_PAUSE: Final = 0.25
"""Seconds without accepting when there is nothing to accept with."""
_UNSENT: Final = 65_536
"""Bytes that the kernel holds unsent for a client; it would take megabytes for one that does not read."""
_TABLE: Final = 65_536
"""Descriptors that the kernel makes room for at once: eight bytes each."""
_EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_log = logging.getLogger("gateway.server")


def make_room() -> None:
    """Let this process have as many descriptors as the system allows it, and the kernel make its table for them now.

    Else the table doubles when it is full, and each time the kernel waits for every core before one more descriptor of
    a process with threads is opened (`expand_fdtable`: 10 to 15 ms, at 256, 512, 1,024 of them).
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft = hard
    with suppress(OSError), open(os.devnull, "rb") as file:
        os.close(fcntl.fcntl(file, fcntl.F_DUPFD_CLOEXEC, min(soft, _TABLE) - 1))


class Acceptor:
    """Accepts on a listening socket until it is closed; to uvicorn it is an `asyncio.Server`.

    The loops' own servers take up as many in one turn as the backlog is long; when descriptors run out, asyncio's tries
    that often again, each time with a traceback in the log.
    """

    def __init__(self, listener: socket.socket, make: Callable[[], asyncio.Protocol]) -> None:
        self._listener = listener
        self._make = make
        self._loop = asyncio.get_running_loop()
        self._tasks: set[asyncio.Task[object]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._short = False
        self._at_once = _FEW
        listener.setblocking(False)
        self._listen()

    def close(self) -> None:
        """Accept no more."""
        if self._timer is not None:
            self._timer.cancel()
        elif self._listener.fileno() >= 0:
            self._loop.remove_reader(self._listener)

    async def wait_closed(self) -> None:
        """Return when the connections that were being taken up have their protocols."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _listen(self) -> None:
        self._timer = None
        self._loop.add_reader(self._listener, self._accept)

    def _accept(self) -> None:
        try:
            if (left := self._left()) <= 0:
                self._pause("too few are left")
                return
            for _ in range(min(self._at_once, left)):
                connected, _ = self._listener.accept()
                self._take_up(connected)
            self._at_once = min(2 * self._at_once, _MANY)
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            self._at_once = _FEW
        except OSError as error:
            if error.errno not in _EXHAUSTED:
                raise
            self._pause(error.strerror or str(error))
            return
        if self._short:
            self._short = False
            _log.warning("accepting_again")

    def _left(self) -> int:
        """How many more there may be, by the lowest descriptor that is free: upstreams and files need some, too."""
        lowest = os.dup(self._listener.fileno())
        os.close(lowest)
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        return limit - max(2 * _FEW, limit // 16) - lowest

    def _pause(self, reason: str) -> None:
        self._loop.remove_reader(self._listener)
        self._timer = self._loop.call_later(_PAUSE, self._listen)
        if not self._short:
            self._short = True
            _log.error("accepting_paused", extra={"fields": {"reason": f"descriptors: {reason}"}})

    def _take_up(self, connected: socket.socket) -> None:
        connected.setblocking(False)
        if hasattr(socket, "TCP_NOTSENT_LOWAT"):
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, _UNSENT)
        task = self._loop.create_task(self._connect(connected))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connect(self, connected: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._make, connected)
        except OSError:
            connected.close()  # the client has left again
