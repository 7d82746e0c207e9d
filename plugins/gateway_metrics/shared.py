"""The directory in which the workers of one data directory count together, and outlive each other."""

import os
import re
import secrets
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, TypeAlias, TypeVar

import msgspec

from gateway_metrics.tally import Key, Tally, Totals, read_totals, sum_up

if sys.platform != "win32":
    import fcntl

T = TypeVar("T")
Counts: TypeAlias = list[tuple[Key, list[float]]]


class Sample(msgspec.Struct, frozen=True):
    """What a process says of itself once a second."""

    counts: Counts = []
    """Counted by the gateway since the process began."""
    gauges: list[tuple[Key, float]] = []


class Ended(msgspec.Struct, frozen=True):
    """What those counted that are no more."""

    counts: Counts = []
    folded: list[str] = []
    """Files whose numbers are in it; after a crash they may still be there."""


class Counted(NamedTuple):
    """What all workers say together."""

    totals: Totals
    samples: list[Sample]
    """Of the processes that live."""


class Shared:
    """One worker's part of the directory; it lives as long as its generation of plugins.

    Whoever writes a part holds its lock, so that a killed worker's part is known. What the dead counted is kept while
    somebody lives; who comes into a house where nobody does begins anew.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        host = re.sub(r"[^A-Za-z0-9]", "_", socket.gethostname())[:60]
        self._process = f"{host}_{os.getpid()}"  # of a container the number alone is often 1
        self._part = folder / f"{self._process}-{secrets.token_hex(6)}.tally"
        self._held = -1

    def join(self) -> Tally:
        """Begin to count; raises `OSError`."""
        if sys.platform == "win32":
            raise OSError("files cannot be locked here")
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._locked(fcntl.LOCK_EX):
            dead, living = self._parts()
            if living:
                self._fold(dead, {*map(_process, living), self._process})
            else:
                self._sweep()
            tally = Tally(self._part)
            self._held = os.open(self._part, os.O_RDONLY)
            fcntl.flock(self._held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return tally

    def leave(self) -> None:
        """End; what was counted stays while somebody lives. Raises `OSError`."""
        os.close(self._held)
        with self._locked(fcntl.LOCK_EX):
            dead, living = self._parts()
            if living:
                self._fold(dead, set(map(_process, living)))
            else:
                self._sweep()

    def say(self, sample: Sample) -> None:
        """Let the others know; another generation of this process says the same. Raises `OSError`."""
        temporary = self._part.with_suffix(".said")
        temporary.write_bytes(msgspec.json.encode(sample))
        temporary.replace(self._folder / f"{self._process}.json")

    def read(self) -> Counted:
        """What all workers count, and what those did that are no more; raises `OSError`."""
        with self._locked(fcntl.LOCK_SH):
            ended = self._ended()
            dead, living = self._parts()
            dead = [part for part in dead if part.name not in ended.folded]
            alive = sorted(set(map(_process, living)))
            gone = sorted(set(map(_process, dead)).difference(alive))
            samples = [self._sample(process) for process in alive]
            said = [dict(sample.counts) for sample in (*samples, *map(self._sample, gone))]
            totals = sum_up((dict(ended.counts), *map(read_totals, (*dead, *living)), *said))
        return Counted(totals, samples)

    def _fold(self, dead: list[Path], alive: set[str]) -> None:
        """Put the numbers of the dead into one file; wherever it is interrupted, nothing counts twice."""
        ended = self._ended()
        said = [self._folder / f"{process}.json" for process in sorted(set(map(_process, dead)) - alive)]
        counted = [read_totals(part) for part in dead if part.name not in ended.folded]
        counted += [dict(self._sample(file.stem).counts) for file in said if file.name not in ended.folded]
        everything = sum_up((dict(ended.counts), *counted))
        files = [*dead, *said]
        temporary = self._part.with_suffix(".new")
        temporary.write_bytes(msgspec.json.encode(Ended(list(everything.items()), [file.name for file in files])))
        temporary.replace(self._folder / "ended.json")
        for file in files:
            file.unlink(missing_ok=True)

    def _sweep(self) -> None:
        for file in self._folder.glob("*.*"):  # all but the lock
            file.unlink(missing_ok=True)

    def _parts(self) -> tuple[list[Path], list[Path]]:
        """The parts of the dead, and of the living."""
        dead: list[Path] = []
        living: list[Path] = []
        for part in sorted(self._folder.glob("*.tally")):
            (living if _is_locked(part) else dead).append(part)
        return dead, living

    def _sample(self, process: str) -> Sample:
        return _read(self._folder / f"{process}.json", Sample())

    def _ended(self) -> Ended:
        return _read(self._folder / "ended.json", Ended())

    @contextmanager
    def _locked(self, how: int) -> Iterator[None]:
        handle = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, how)
            yield
        finally:
            os.close(handle)


def _process(part: Path) -> str:
    return part.name.rpartition("-")[0]


def _is_locked(part: Path) -> bool:
    handle = os.open(part, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(handle)


def _read(file: Path, empty: T) -> T:
    """The file's document; `empty` where there is none."""
    try:
        return msgspec.json.decode(file.read_bytes(), type=type(empty))
    except (FileNotFoundError, msgspec.DecodeError):
        return empty
