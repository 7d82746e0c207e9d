"""The folder of journals: one for each worker that lives, and those that dead ones left."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from uuid import uuid4

_LOCK: Final = ".lock"
_PAGES: Final = ".sqlite"
_DAYBOOK: Final = ".daybook"


class Shelf:
    """A worker's place in the folder; held by a lock that the system takes away with the process."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        self.name, self._lock = _taken(folder)

    @property
    def pages(self) -> Path:
        """Where this worker's journal is."""
        return self._folder / (self.name + _PAGES)

    @property
    def daybook(self) -> Path:
        """Where its notes are that are not in the journal yet."""
        return daybook_of(self.pages)

    @contextmanager
    def orphans(self) -> Iterator[list[Path]]:
        """The journals of workers that are gone, nobody else's meanwhile."""
        held: list[tuple[int, Path]] = []
        try:
            for lock in sorted(self._folder.glob("*" + _LOCK)):
                if lock.stem != self.name and (descriptor := _locked(lock, create=False)) is not None:
                    held.append((descriptor, lock))
            yield [lock.with_suffix(_PAGES) for _, lock in held]
        finally:
            for descriptor, _ in held:
                os.close(descriptor)

    def remove(self, pages: Path) -> None:
        """Delete a journal that holds nothing any more; its lock last."""
        for suffix in (_PAGES, _PAGES + "-wal", _PAGES + "-shm", _DAYBOOK, _LOCK):
            pages.with_suffix(suffix).unlink(missing_ok=True)

    def close(self) -> None:
        """Let go of this worker's place."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def daybook_of(pages: Path) -> Path:
    """The daybook beside a journal."""
    return pages.with_suffix(_DAYBOOK)


def _taken(folder: Path) -> tuple[str, int | None]:
    """A name of a place, and the lock on it.

    Before it is locked it looks like one that a dead worker left. Who looks for those may have taken it away by then,
    and nobody would ever find what is written there; or just holds it.
    """
    while True:
        name = uuid4().hex
        path = folder / (name + _LOCK)
        descriptor = _locked(path, create=True)
        if descriptor is None:
            continue
        if path.exists():  # ours: nobody makes it again, and nobody removes what is locked
            return name, descriptor
        os.close(descriptor)


def _locked(path: Path, *, create: bool) -> int | None:
    try:
        descriptor = os.open(path, os.O_RDWR | (os.O_CREAT if create else 0), 0o600)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor
