"""Several serving processes on one socket."""

import logging
import signal
import socket
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection, wait
from typing import Final

from gateway.server.ending import Ending, Insistence
from gateway.server.link import Word
from gateway.server.signals import ENDS, RESTARTS, Signals, takes_hangups
from gateway.server.worker import SILENT, Work, Worker

_log = logging.getLogger("gateway.server")
STARTUP_FAILURE: Final = 3
"""Exit code of a worker whose application does not start. One of the first would fail again, and the server ends; one
that replaces another may only have met a database that is away, and is started again while the others serve."""
_MIN_LIFE: Final = 1.0
"""Seconds between the starts of two workers one of which replaces the other that died."""
_LONGEST: Final = 30.0
"""Seconds before another try when one worker after the other dies while it starts: 1, 2, 4 and so on, up to these."""
_PATIENCE: Final = 60.0
"""Seconds that a new worker may take to become ready in a restart."""
_TICK: Final = 0.5


class Supervisor:
    """Keeps `count` workers serving; `work` gets the socket and its end of a pipe, for a `Link`.

    Workers are spawned: `work` must be importable by name. `reload` is called after SIGHUP and tells the workers to
    reload. SIGUSR2 replaces them one after the other: none leaves before another one is ready in its place, and when
    one does not become ready, those there are serve on.
    """

    def __init__(
        self,
        work: Work,
        listener: socket.socket,
        count: int,
        reload: Callable[[], None],
        *,
        patience: float = _PATIENCE,
    ) -> None:
        self._work = work
        self._listener = listener
        self._count = count
        self._reload = reload
        self._patience = patience
        self._workers: list[Worker] = []
        self._insistence = Insistence()
        self._stopping = False
        self._restarting = False
        self._has_served = False
        self._started = 0
        self._failures = 0
        self._not_before = 0.0
        self._code = 0

    def run(self) -> int:
        """Serve until SIGTERM or SIGINT and all workers have drained; the exit code.

        A second signal ends what still runs visibly, a third one kills the workers.
        """
        numbers = [*ENDS]
        if takes_hangups():
            numbers.append(signal.SIGHUP)
        if RESTARTS is not None:
            numbers.append(signal.Signals(RESTARTS))
        with Signals(numbers, self._insistence) as signals:
            while self._workers or not self._stopping:
                self._fill()
                wait([signals.fileno(), *self._speaking()], timeout=_TICK)
                for number in signals.read():
                    self._take(number)
                for worker in list(self._workers):
                    self._listen(worker)
                self._hand_over()
        return self._code

    def _speaking(self) -> Iterator[Connection | int]:
        for worker in self._workers:
            yield worker.process.sentinel
            if worker.is_heard:
                yield worker.pipe

    @property
    def _staying(self) -> list[Worker]:
        return [worker for worker in self._workers if not worker.leaving]

    @property
    def _outdated(self) -> list[Worker]:
        return [worker for worker in self._staying if worker.outdated]

    def _fill(self) -> None:
        """Start what is missing; while workers are replaced, one more than usual."""
        wanted = self._count + bool(self._outdated)
        for _ in range(wanted - len(self._staying)):
            if self._stopping or time.monotonic() < self._not_before:
                return
            self._workers.append(Worker(self._work, self._listener, is_first=self._started < self._count))
            self._started += 1

    # -- what comes from outside --------------------------------------------------------------------------------------

    def _take(self, number: int) -> None:
        if number == RESTARTS:
            self._restart()
        elif number not in ENDS:
            self._reload()
        else:
            self._end(self._insistence.again(), number)

    def _end(self, ending: Ending | None, number: int) -> None:
        if ending is Ending.DRAIN:
            self._stop()
        elif ending is Ending.HURRY:
            for worker in self._workers:
                worker.order(Word.HURRY)
        elif ending is Ending.NOW:
            self._code = 128 + number
            for worker in self._workers:
                worker.process.kill()

    def _stop(self) -> None:
        self._stopping = True
        for worker in self._workers:
            worker.stop()

    def _restart(self) -> None:
        if self._stopping:
            return
        _tell(logging.INFO, "restarting", count=len(self._staying))
        self._restarting = True
        for worker in self._staying:
            worker.outdated = True

    # -- what comes from workers --------------------------------------------------------------------------------------

    def _listen(self, worker: Worker) -> None:
        for word, text in worker.heard():
            if word is Word.READY:
                worker.unready, self._has_served, self._failures = "", True, 0
                _tell(logging.INFO, "worker_ready", pid=worker.process.pid)
            elif word is Word.UNREADY:
                worker.unready, self._has_served = text, True
            elif word is Word.END:
                self._let_end(worker)
        if worker.process.exitcode is not None:
            self._workers.remove(worker)
            worker.pipe.close()
            if not self._stopping:
                self._ended(worker, worker.process.exitcode)

    def _let_end(self, worker: Worker) -> None:
        """Somebody wants this one away: it is replaced first, unless they insist."""
        if self._stopping:
            worker.order(Word.STOP)
        elif worker.leaving:
            worker.order(Word.HURRY)
        elif worker.outdated or worker.unready is SILENT:
            worker.leave()
        else:
            worker.outdated = True

    def _ended(self, worker: Worker, status: int) -> None:
        """Say what became of it, and when the next one starts."""
        if worker.leaving and status == 0:
            return
        now, pid = time.monotonic(), worker.process.pid
        if worker.is_first and status == STARTUP_FAILURE and not self._has_served:
            self._code = 1  # it has said why, and the next one would say the same
            self._stop()
            return
        if not worker.outdated and worker.unready and self._outdated:
            _tell(logging.ERROR, "worker_died", pid=pid, status=status)
            self._give_up(f"worker {pid} ended with status {status} before it was ready: the log has its reason")
            return
        pause = worker.began + _MIN_LIFE - now
        if worker.unready is SILENT:
            pause = min(_LONGEST, 2.0**self._failures)
            self._failures += 1
        self._not_before = now + pause
        _tell(logging.ERROR, "worker_died", pid=pid, status=status, seconds=round(max(0.0, pause), 1))

    # -- one instead of another ---------------------------------------------------------------------------------------

    def _hand_over(self) -> None:
        """Let an outdated worker leave when enough others are ready."""
        if self._stopping:
            return
        for worker in self._outdated:
            ready = sum(not other.unready for other in self._staying if other is not worker)
            if ready >= self._count or worker.unready is SILENT:
                _tell(logging.INFO, "worker_leaves", pid=worker.process.pid)
                worker.leave()
        if self._outdated:
            self._lose_patience()
        elif self._restarting:
            _tell(logging.INFO, "restarted", count=self._count)
            self._restarting = False

    def _lose_patience(self) -> None:
        for worker in self._staying:
            if not worker.outdated and worker.unready and time.monotonic() - worker.began > self._patience:
                reason = f"worker {worker.process.pid} was not ready within {self._patience:g} s: {worker.unready}"
                if worker.unready is SILENT:
                    worker.process.kill()
                worker.leave()
                self._give_up(reason)
                return

    def _give_up(self, reason: str) -> None:
        reason += "; the old workers serve on"
        _tell(logging.ERROR, "restart_failed", reason=reason)
        self._restarting = False
        for worker in self._workers:
            worker.outdated = False


def _tell(level: int, event: str, **fields: object) -> None:
    _log.log(level, event, extra={"fields": fields})
