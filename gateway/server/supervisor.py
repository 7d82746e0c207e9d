"""Several serving processes on one socket."""

import logging
import multiprocessing
import signal
import socket
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess
from types import FrameType

from gateway.server.running import takes_hangups

_log = logging.getLogger("gateway.server")
STARTUP_FAILURE = 3
"""Exit code of a worker whose application does not start. One of the first would fail again, and the server ends; one
that replaces another may only have met a database that is away, and is started again while the others serve."""
_MIN_LIFE_SECONDS = 1.0


class Supervisor:
    """Keeps `count` workers serving; `work` gets the socket and must be importable by name (workers are spawned).

    `reload` is called after SIGHUP and tells the workers to reload; no signal is passed on, because one that has only
    just begun would die of it.
    """

    def __init__(
        self, work: Callable[[socket.socket], None], listener: socket.socket, count: int, reload: Callable[[], None]
    ) -> None:
        self._work = work
        self._listener = listener
        self._count = count
        self._reload = reload
        self._stopping = threading.Event()
        self._hung_up = threading.Event()
        self._workers: list[SpawnProcess] = []
        self._first: tuple[SpawnProcess, ...] = ()

    def run(self) -> int:
        """Serve until SIGTERM or SIGINT and all workers have drained, reload on SIGHUP; the exit code."""
        before = {number: signal.signal(number, self._stop) for number in (signal.SIGTERM, signal.SIGINT)}
        if takes_hangups():
            before[signal.SIGHUP] = signal.signal(signal.SIGHUP, lambda number, frame: self._hung_up.set())
        try:
            for _ in range(self._count):
                self._start()
            self._first = tuple(self._workers)
            return self._watch()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _start(self) -> None:
        if not self._stopping.is_set():
            worker = multiprocessing.get_context("spawn").Process(target=self._work, args=(self._listener,))
            worker.start()
            self._workers.append(worker)

    def _watch(self) -> int:
        code = 0
        while self._workers:
            started = time.monotonic()
            wait([worker.sentinel for worker in self._workers], timeout=0.5)
            if self._hung_up.is_set():
                self._hung_up.clear()
                self._reload()
            ended = [worker for worker in self._workers if worker.exitcode is not None]
            for worker in ended:
                self._workers.remove(worker)
                if worker.exitcode and not self._stopping.is_set():
                    code = self._replace(worker, started) or code
        return code

    def _replace(self, worker: SpawnProcess, waited_since: float) -> int:
        """Start another worker for one that died; the exit code where that is hopeless."""
        if worker.exitcode == STARTUP_FAILURE and worker in self._first:
            self._terminate()
            return 1
        _log.error("worker_died", extra={"fields": {"pid": worker.pid, "status": worker.exitcode}})
        # A worker that dies at once must not be started in a busy loop.
        self._stopping.wait(max(0.0, _MIN_LIFE_SECONDS - (time.monotonic() - waited_since)))
        self._start()
        return 0

    def _stop(self, number: int, frame: FrameType | None) -> None:
        if self._stopping.is_set() and number == signal.SIGINT:
            for worker in self._workers:
                worker.kill()
        self._terminate()

    def _terminate(self) -> None:
        self._stopping.set()
        for worker in self._workers:
            if worker.exitcode is None:
                worker.terminate()
