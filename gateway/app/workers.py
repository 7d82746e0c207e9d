"""What every serving process says of itself, in files of the data directory, so that each can tell of all."""

import logging
import os
import time
from pathlib import Path

import msgspec

from gateway.api import WorkerStatus

DIRECTORY = "workers"
_HEARTBEAT = 5.0
_GONE = 15.0
"""Seconds of silence after which a worker counts as dead."""
_log = logging.getLogger("gateway.app")


class Workers:
    """The status files of one data directory; one belongs to this process."""

    def __init__(self, data_dir: Path) -> None:
        self._directory = data_dir / DIRECTORY
        self._own = self._directory / f"{os.getpid()}.json"
        self._told: WorkerStatus | None = None
        self._told_at = 0.0

    def tell(self, status: WorkerStatus) -> None:
        """Let the others know; cheap when there is nothing new."""
        now = time.monotonic()
        if status == self._told and now - self._told_at < _HEARTBEAT:
            return
        try:
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            temporary = self._own.with_suffix(".new")
            temporary.touch(mode=0o600)
            temporary.write_bytes(msgspec.json.encode(status))
            temporary.replace(self._own)
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
                if time.time() - file.stat().st_mtime > _GONE:
                    file.unlink()
                    continue
                found.append(msgspec.json.decode(file.read_bytes(), type=WorkerStatus))
            except (OSError, ValueError):
                continue  # it has just ended
        return sorted(found, key=lambda status: status.pid)

    def leave(self) -> None:
        """This process ends."""
        self._own.unlink(missing_ok=True)
