"""Where the CPU time of a server goes under load: a share for each library, sampled by perf, kernel included."""

import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.field import Field
from bench.report import Table
from bench.rounds import Rounds
from bench.scenarios import SCENARIOS, Scenario
from bench.target import Unavailable

PROFILED = tuple(
    scenario for scenario in SCENARIOS if scenario.name in ("json-64", "first-100", "burst-100", "paced-1000")
)
_FREQUENCY = 997
"""Samples a second of CPU time; no multiple of what ticks in a server."""
_START_LIMIT = 10.0
_LAYERS = (
    ("the kernel", ("[kernel", "[unknown]", "[vdso]")),
    ("Python: its interpreter and objects", ("libpython", "python3", "_asyncio.", "_contextvars.", "_struct.")),
    ("uvloop", ("loop.cpython",)),
    ("msgspec", ("_core.cpython",)),
    ("httptools: HTTP and URLs", ("parser.cpython", "url_parser.cpython")),
    ("SQLite: journal and ledger", ("libsqlite3", "_sqlite3.")),
    ("checksums and keys", ("libcrypto", "_hashlib.", "libz.", "zlib.")),
    ("the C library", ("libc.", "libm.", "ld-linux", "libpthread")),
)
"""What is told together, and how the names of its files begin."""
_REST = "the rest"
_LOOP, _THREADS = "the event loop's thread", "other threads"


def profile_tables(field: Field, rounds: Rounds, folder: Path) -> Iterator[Table]:
    """Every scenario once against each target of the field, under the sampler; raises `Unavailable` without perf."""
    if shutil.which("perf") is None:
        raise Unavailable("perf is not there: apt-get install linux-perf")
    for scenario in PROFILED:
        cost = next(figure for figure in scenario.figures if figure.startswith("CPU us/"))
        columns: list[Callable[[str], str]] = []
        heads: list[str] = []
        for name in [target.name for target in field.targets]:
            samples = folder / f"{scenario.name}.perf"
            samples.unlink(missing_ok=True)
            with field.turn(name, scenario.name) as target, _sampled(target.pids, samples):
                rounds.measure(scenario, target)
            spent = rounds.figure(scenario, target.name, cost)
            assert spent is not None
            heads += [f"{target.name}: {cost}", "%"]
            columns += _columns(_shares(samples, target.pids), spent.median)
        layers = [name for name, _ in _LAYERS] + [_REST, _LOOP, _THREADS]
        title = f"Where the CPU time goes: {_lower(scenario)}"
        yield Table(title, ["", *heads], [[layer, *(column(layer) for column in columns)] for layer in layers])


def _columns(shares: Counter[str], spent: float) -> list[Callable[[str], str]]:
    return [lambda layer: f"{spent * shares[layer]:,.1f}", lambda layer: f"{100 * shares[layer]:.1f}"]


def _lower(scenario: Scenario) -> str:
    return scenario.title[0].lower() + scenario.title[1:]


@contextmanager
def _sampled(pids: Sequence[int], into: Path) -> Iterator[None]:
    command = ["perf", "record", "-q", "-e", "cpu-clock", "-F", str(_FREQUENCY), "-o", str(into)]
    command += ["-p", ",".join(map(str, pids))]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as sampler:
        try:
            end = time.monotonic() + _START_LIMIT
            while not _begun(into) and sampler.poll() is None and time.monotonic() < end:
                time.sleep(0.01)
            yield
        finally:
            sampler.send_signal(signal.SIGINT)


def _begun(samples: Path) -> bool:
    """Whether the sampler has found its processes: then it writes its head."""
    return samples.exists() and samples.stat().st_size > 0


def _shares(samples: Path, pids: Sequence[int]) -> Counter[str]:
    """The share of each layer, and of the thread that every process began with."""
    found: Counter[str] = Counter()
    for name, count in _counted(samples, "dso"):
        found[next((layer for layer, starts in _LAYERS if name.startswith(starts)), _REST)] += count
    total = sum(found.values())
    if not total:
        raise Unavailable("perf took no samples: it may not be allowed here (kernel.perf_event_paranoid)")
    for name, count in _counted(samples, "pid"):  # of a thread, and its name
        found[_LOOP if int(name.partition(":")[0]) in pids else _THREADS] += count
    return Counter({layer: count / total for layer, count in found.items()})


def _counted(samples: Path, by: str) -> Iterator[tuple[str, int]]:
    command = ["perf", "report", "-i", str(samples), "--stdio", "-q", "-n", "-t", "\t", "--sort", by]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    for line in told.stdout.splitlines():
        if line.strip():
            _, count, name = line.split("\t")
            yield name.strip(), int(count)
