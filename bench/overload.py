"""`python -m bench.overload`: what is still answered when three times as much is asked as can be.

First the peak: as many answers as clients get who ask again as soon as they have one. Then requests come at fixed
times, so many times the peak, whether others were answered or not. Both take turns; the medians are told. Health is
asked all the while.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
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
"""Clients that find the peak."""
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

    @property
    def efficient(self) -> float:
        """Whole answers for a second of the server's CPU time: other processes on the machine change it little."""
        return self.sample.window.answers / (self.sample.watched["server"].cpu_ns / 1e9)


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
            peaks, floods = [], []
            for _ in range(options.rounds):
                peaks.append(_run(target, ask, world, cores.others, options.seconds, _ASKING))
                rate = options.times * peaks[-1].good
                floods.append(_run(target, ask, world, cores.others, options.seconds, _CONNECTIONS, rate))
    return _report(options.times, peaks, floods)


def _run(
    target: Target, ask: Ask, world: World, cores: frozenset[int], seconds: float, connections: int, rate: float = 0.0
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


def _report(times: float, peaks: list[Round], floods: list[Round]) -> int:
    print(
        "| | answers/s | of the peak | answers per CPU second | of the peak | refused"
        " | p50 ms | p99 ms | health max ms |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    peak, efficient = _median(peaks, "good"), _median(peaks, "efficient")
    for name, rounds in (("peak", peaks), (f"{times:g} x the peak offered", floods)):
        good, worth = _median(rounds, "good"), _median(rounds, "efficient")
        p50 = statistics.median(one.sample.latency.p50 for one in rounds) / 1000
        p99 = statistics.median(one.sample.latency.p99 for one in rounds) / 1000
        slowest = max(second for one in rounds for second in one.health) * 1000
        refused = sum(one.sample.status for one in rounds)
        print(
            f"| {name} | {good:.0f} | {good / peak:.0%} | {worth:.0f} | {worth / efficient:.0%} | {refused:,} |"
            f" {p50:.0f} | {p99:.0f} | {slowest:.0f} |"
        )
    wrong = sum(one.sample.wrong - one.sample.status for one in (*peaks, *floods))
    unanswered = sum(second == float("inf") for one in floods for second in one.health)
    share = max(_median(floods, "efficient") / efficient, _median(floods, "good") / peak)
    print(f"answers that were cut, changed or lost: {wrong}; questions for health without an answer: {unanswered}")
    return int(bool(wrong or unanswered or share < _GOAL))


def _median(rounds: list[Round], what: str) -> float:
    return statistics.median(float(getattr(one, what)) for one in rounds)


if __name__ == "__main__":
    sys.exit(main())
