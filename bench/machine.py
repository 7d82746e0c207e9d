"""The machine that is measured on: its cores, who runs where, and what the report says of it."""

import os
import platform
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

_TICK = os.sysconf("SC_CLK_TCK")
_QUIET = 0.05
"""The share of a core that a quiet server takes: a gateway with two workers looks round for 0.02."""


class Cores(msgspec.Struct, frozen=True):
    """Which cores the gateway may use, and which the upstream and the load share."""

    gateway: frozenset[int]
    others: frozenset[int]

    @property
    def together(self) -> frozenset[int]:
        """All of them."""
        return self.gateway | self.others


def two_cores() -> Cores:
    """The gateway on one core, what measures it on another; on a machine with one core both share it."""
    free = sorted(os.sched_getaffinity(0))
    return Cores(frozenset(free[:1]), frozenset(free[1:2] or free[:1]))


@contextmanager
def pinned(cores: frozenset[int]) -> Iterator[None]:
    """Let processes that are started in the block run on these cores only."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def family(pid: int) -> tuple[int, ...]:
    """A process and all its descendants."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            parents.setdefault(int(fields[1]), []).append(int(entry.name))
    found = [pid]
    for one in found:
        found += parents.get(one, [])
    return tuple(found)


def cpu_seconds(pids: Sequence[int]) -> float:
    """The CPU time these processes have used so far; those that are gone count nothing."""
    seconds = 0.0
    for pid in pids:
        with suppress(OSError):
            seconds += time.clock_gettime(~pid << 3 | 2)  # as clock_getcpuclockid(3) makes it: to the nanosecond
    return seconds


def resident_mib(pids: Sequence[int]) -> float:
    """The memory these processes hold."""
    kilobytes = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Rss:"):
                kilobytes += int(line.split()[1])
    return kilobytes / 1024


def wait_until_quiet(pids: Sequence[int], seconds: float, limit: float) -> bool:
    """Wait until the processes have done next to nothing for so long, but not for ever: whether they have."""
    end = time.monotonic() + limit
    while True:
        began, before = time.monotonic(), cpu_seconds(pids)
        time.sleep(seconds)
        now = time.monotonic()
        if cpu_seconds(pids) - before <= _QUIET * (now - began):
            return True
        if now >= end:
            return False


def others_busy(seconds: float = 1.0) -> float:
    """How many cores are busy right now, before anything of ours runs."""
    before = _busy_ticks()
    time.sleep(seconds)
    return (_busy_ticks() - before) / _TICK / seconds


def _busy_ticks() -> int:
    fields = [int(field) for field in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return sum(fields) - fields[3] - fields[4]


def description() -> str:
    """The machine without its name: cores, processor, kernel, Python."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if "model name" in line
        ),
        platform.machine(),
    )
    kernel = ".".join(platform.release().split("-")[0].split(".")[:3])
    return f"{os.cpu_count()} cores ({model}), Linux {kernel}, Python {platform.python_version()}"
