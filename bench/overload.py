"""`python -m bench.overload`: what is still answered when three times as much is asked as can be.

Requests come at fixed times, whether others were answered or not: first about as many as can be answered, and the most
that are is the peak; then so many times the peak. How many that is, clients tell before who ask again as soon as they
have an answer. All take turns; the medians are told. Health is asked all the while.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final
from urllib.error import URLError
from urllib.request import urlopen

import msgspec

from bench.gateways import Variant, World, running, targets_of
from bench.machine import description, others_busy, two_cores
from bench.target import Ask, Target
from bench.tools import Sample, Upstream, load

_ASKING: Final = 32
"""Clients who ask again when they have an answer."""
_PEAK: Final = (0.8, 1.0, 1.2)
"""Of what those get: around it the most is answered to who comes by the clock."""
_CONNECTIONS: Final = 4000
"""At most so many ask at one time."""
_GOAL: Final = 0.8


class Round(msgspec.Struct, frozen=True):
    """One run."""

    sample: Sample
    health: tuple[float, ...]
    """Seconds that each question for health took; infinite where it was not answered."""

    @property
    def good(self) -> float:
        """Whole answers a second."""
        return self.sample.window.answers / self.sample.seconds


def main() -> int:
    """Measure and print; 1 when the goal was missed or something was told wrongly."""
    parser = argparse.ArgumentParser(prog="python -m bench.overload", description=__doc__)
    parser.add_argument("--times", type=float, default=3.0, help="times the peak (default: 3)")
    parser.add_argument("--seconds", type=float, default=4.0, help="length of one run (default: 4)")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each (default: 3)")
    parser.add_argument("--chunks", type=int, default=100, help="length of the streams (default: 100)")
    parser.add_argument("--surface", default="chat", choices=("chat", "custom"))
    options = parser.parse_args()
    ask = Ask(f"bench-{options.chunks}-0", stream=True)
    cores = two_cores()
    print(f"{description()}; other processes keep {others_busy():.1f} cores busy")
    with tempfile.TemporaryDirectory() as folder, Upstream(cores.others) as upstream:
        world = World(Path(folder), cores.gateway, upstream.base_url, models=(ask.model,))
        with running(world, Variant()) as server:
            (target,) = targets_of(world, Variant(), server, [options.surface])
            run = partial(_run, target, ask, world, cores.others, options.seconds)
            return _report([_row(run, options.times) for _ in range(options.rounds)])


def _row(run: Callable[[int, float], Round], times: float) -> dict[str, Round]:
    """One run of each, by what was offered."""
    waiting = run(_ASKING, 0.0)
    row = {f"{part:.0%} of that, by the clock": run(_CONNECTIONS, part * waiting.good) for part in _PEAK}
    most = max(one.good for one in row.values())
    flood = run(_CONNECTIONS, times * most)
    return {f"{_ASKING} clients who wait": waiting, **row, f"{times:g} x the peak, by the clock": flood}


def _run(
    target: Target, ask: Ask, world: World, cores: frozenset[int], seconds: float, connections: int, rate: float
) -> Round:
    file = world.folder / "request"
    file.touch(mode=0o600)
    file.write_bytes(target.request(ask))
    options = {
        "port": target.port,
        "request": file,
        "kind": target.kind(ask),
        "chunks": ask.model.split("-")[1],
        "connections": connections,
        "seconds": seconds,
        "warmup": 1.0,
        "rate": rate,
        "watch": f"server={','.join(map(str, target.pids))}",
    }
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    with _asking_health(target.port) as asked:
        sample = load(words, cores)
    return Round(sample, tuple(asked))


@contextmanager
def _asking_health(port: int) -> Iterator[list[float]]:
    took: list[float] = []
    over: Future[None] = Future()

    def ask() -> None:
        while not over.done():
            began = time.monotonic()
            try:
                with urlopen(f"http://127.0.0.1:{port}/health/live", timeout=30) as answer:
                    took.append(time.monotonic() - began if answer.status == 200 else float("inf"))
            except (URLError, OSError):
                took.append(float("inf"))
            time.sleep(0.1)

    with ThreadPoolExecutor(1) as pool:
        pool.submit(ask)
        try:
            yield took
        finally:
            over.set_result(None)


def _report(rows: list[dict[str, Round]]) -> int:
    print("| offered | answers/s | of the peak | refused | p50 ms | p99 ms | health max ms |")
    print("|---|---|---|---|---|---|---|")
    runs = {name: [row[name] for row in rows] for name in rows[0]}
    goods = {name: statistics.median(one.good for one in same) for name, same in runs.items()}
    _, *by_the_clock, flood = goods.values()
    peak = max(by_the_clock)
    for name, same in runs.items():
        figures = (
            f"{goods[name]:.0f}",
            f"{goods[name] / peak:.0%}",
            f"{sum(one.sample.status for one in same):,}",
            f"{statistics.median(one.sample.latency.p50 for one in same) / 1000:.0f}",
            f"{statistics.median(one.sample.latency.p99 for one in same) / 1000:.0f}",
            f"{max(second for one in same for second in one.health) * 1000:.0f}",
        )
        print(f"| {name} | {' | '.join(figures)} |")
    every = [one for same in runs.values() for one in same]
    wrong = sum(one.sample.wrong - one.sample.status for one in every)
    unanswered = sum(second == float("inf") for one in every for second in one.health)
    print(f"answers that were cut, changed or lost: {wrong}; questions for health without an answer: {unanswered}")
    return int(bool(wrong or unanswered or flood / peak < _GOAL))


if __name__ == "__main__":
    sys.exit(main())
