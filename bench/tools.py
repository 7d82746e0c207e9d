"""The C programs that measure: upstream, load client, and what looks at the machine. `make bench` builds them."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from bench.machine import pinned

ROOT = Path(__file__).parents[1]
BUILD = ROOT / "build" / "bench"
_HANG = 120.0


WRONG = ("cut", "corrupt", "incomplete", "status", "failed", "unfinished")
"""The counts of answers that were not what the upstream sent."""


class Times(msgspec.Struct, frozen=True):
    """A distribution of durations, in microseconds."""

    count: int
    mean: float
    p50: float
    p90: float
    p99: float
    p999: float
    max: float


class Watched(msgspec.Struct, frozen=True):
    """What a group of processes used in the window."""

    cpu_ns: int
    rss_kb: int = 0


class Window(msgspec.Struct, frozen=True):
    """What came in the window."""

    answers: int
    events: int
    bytes: int


class Sample(msgspec.Struct, frozen=True):
    """What one run of the load client counted; every answer was checked byte by byte."""

    seconds: float
    ok: int
    cut: int
    corrupt: int
    incomplete: int
    status: int
    failed: int
    unfinished: int
    left: int
    """Hung up by the client when the window ended, as it was told to."""
    events: int
    window: Window
    watched: Mapping[str, Watched]
    latency: Times
    first: Times
    transit: Times
    sample: str
    """The body of the first answer that was not 200."""

    @property
    def wrong(self) -> int:
        """Answers that were not what the upstream sent."""
        return sum(getattr(self, kind) for kind in WRONG)

    @property
    def trouble(self) -> str:
        """What was wrong, in words; empty when nothing was."""
        counted = [f"{getattr(self, kind):,} {kind}" for kind in WRONG if getattr(self, kind)]
        return ", ".join([*counted, repr(self.sample)] if self.sample else counted)


class Pauses(msgspec.Struct, frozen=True):
    """What a program lost that did nothing but look at the clock: others took its core."""

    seconds: float
    taken_ms: float
    """In pauses of more than 0.1 ms."""
    over_1_ms: int
    longest_ms: float


class ToolMissing(Exception):
    """A program that measures is not built."""


def tool(name: str) -> Path:
    """The built program."""
    path = BUILD / name
    if not path.exists():
        raise ToolMissing(f"{path.relative_to(ROOT)} is not built: make bench-tools")
    return path


class Upstream:
    """A context manager that runs the upstream on these cores."""

    def __init__(self, cores: frozenset[int], *, cert: Path | None = None, key: Path | None = None) -> None:
        self._cores = cores
        self._options = ["--cert", str(cert), "--key", str(key)] if cert and key else []
        self._scheme = "https" if cert else "http"
        self.port = 0
        self.pid = 0

    @property
    def base_url(self) -> str:
        """What `/chat/completions` is appended to."""
        return f"{self._scheme}://127.0.0.1:{self.port}/v1"

    def __enter__(self) -> Self:
        with pinned(self._cores):
            self._process = subprocess.Popen([str(tool("upstream")), *self._options], stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        told = self._process.stdout.readline()
        if not told:
            raise ToolMissing("the upstream did not start")
        self.port, self.pid = json.loads(told)["port"], self._process.pid
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.communicate(timeout=_HANG)


def load(options: Sequence[str], cores: frozenset[int], *, limit: float = _HANG) -> Sample:
    """Run the load client on these cores; its counts."""
    with pinned(cores):
        done = subprocess.run([str(tool("load")), *options], capture_output=True, timeout=limit, check=False)
    if done.returncode:
        raise RuntimeError(f"load: {done.stderr.decode(errors='replace')}")
    return msgspec.json.decode(done.stdout, type=Sample)


def pauses(seconds: float, each: Sequence[frozenset[int]], *, limit: float = _HANG) -> list[Pauses]:
    """Look at the clock for so long, on each of these groups of cores at the same time; what was lost on each."""
    running = []
    for cores in each:
        with pinned(cores):
            running.append(subprocess.Popen([str(tool("pauses")), str(seconds)], stdout=subprocess.PIPE))
    return [msgspec.json.decode(one.communicate(timeout=limit)[0], type=Pauses) for one in running]
