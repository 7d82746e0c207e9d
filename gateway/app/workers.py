"""What every serving process says of itself, in files of the data directory, so that each can tell of all."""

import fcntl
import logging
import os
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

import msgspec

from gateway.api import WorkerStatus

DIRECTORY = "workers"
_HEARTBEAT = 5.0
_GONE = 15.0
"""Seconds of silence after which a worker counts no more, although it lives."""
_log = logging.getLogger("gateway.app")


class Workers:
    """The status files of one data directory; one belongs to this process.

    A file is locked while its process lives, however that ends.
    """

    def __init__(self, data_dir: Path) -> None:
        self._directory = data_dir / DIRECTORY
        self._own = self._directory / f"{os.getpid()}.json"
        self._turn = threading.Lock()
        self._held = ExitStack()
        self._left = False
        self._told: WorkerStatus | None = None
        self._told_at = 0.0

    def tell(self, status: WorkerStatus) -> None:
        """Let the others know; cheap when there is nothing new. From any thread; nothing is told after `leave`."""
        with self._turn:
            now = time.monotonic()
            if self._left or (status == self._told and now - self._told_at < _HEARTBEAT):
                return
            try:
                self._write(msgspec.json.encode(status))
            except OSError as error:
                # A full disk must not end what serves; the others see this worker vanish.
                _log.warning("worker_status_not_written", extra={"fields": {"error": error.strerror}})
            self._told, self._told_at = status, now

    def others(self) -> list[WorkerStatus]:
        """What the other living processes told last, by process id; files of dead ones are removed."""
        found = []
        for file in self._directory.glob("[0-9]*.json"):
            if file == self._own:
                continue
            try:
                with file.open("rb") as opened:
                    if time.time() - file.stat().st_mtime > _GONE or _is_left(opened, file):
                        file.unlink()
                        continue
                    found.append(msgspec.json.decode(opened.read(), type=WorkerStatus))
            except (OSError, ValueError):
                continue  # it has just ended
        return sorted(found, key=lambda status: status.pid)

    def leave(self) -> None:
        """This process ends."""
        with self._turn:
            self._left = True
            self._own.unlink(missing_ok=True)
            self._held.close()

    def _write(self, content: bytes) -> None:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = self._own.with_suffix(".new")
        with ExitStack() as stack:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            file = stack.enter_context(os.fdopen(descriptor, "wb"))
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            file.write(content)
            file.flush()
            temporary.replace(self._own)
            self._held.close()  # the file before, which has no name any more
            self._held = stack.pop_all()


def _is_left(opened: BinaryIO, file: Path) -> bool:
    """Whether nobody holds it; who writes another one lets go of this when that has taken its place."""
    try:
        fcntl.flock(opened, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return os.path.samestat(os.fstat(opened.fileno()), file.stat())
