"""Gateways that measure themselves take turns: each a process of its own, so that each has its own specialised code."""

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgspec

from bench.gateways import Variant, World, furnished, shipped
from bench.inside.windows import COMPLETION, STREAM, WINDOWS, Order, Window, fetched
from bench.machine import pinned
from bench.report import Table, difference_table
from bench.rounds import Progress, Spread
from bench.target import Unavailable
from bench.tools import ROOT

ROUNDS = 90
"""Turns of each gateway before all are started anew: where a process has its memory makes a difference, too."""
_WARM = 3
_ROUND_SECONDS = 0.04
_START_SECONDS = 4.0
_FILES = ("stream", "completion", "key", "order", "log")
_FED = Path(__file__).with_name("fed.py")


def lasts(variants: Sequence[Variant], surfaces: Sequence[str], starts: int, rounds: int = ROUNDS) -> float:
    """About how many seconds `turns` takes."""
    return len(variants) * starts * (_START_SECONDS + len(surfaces) * (rounds + _WARM) * _ROUND_SECONDS)


def turns(
    title: str,
    world: World,
    variants: Sequence[Variant],
    surfaces: Sequence[str],
    starts: int,
    progress: Progress,
    rounds: int = ROUNDS,
) -> Iterator[Table]:
    """Run the variants side by side; the first of them is the base. A table for each surface."""
    world = msgspec.structs.replace(world, models=(), tls_url="", foreign={STREAM: "fed", COMPLETION: "fed"})
    found: dict[tuple[str, str, str], list[float]] = {}
    for start in range(starts):
        began = time.monotonic()
        with ExitStack() as stack:
            running = {variant.name: stack.enter_context(_process(world, variant)) for variant in variants}
            for surface in surfaces:
                for window in WINDOWS:
                    for number in range(-_WARM, rounds):
                        _take_turn(number, running, surface, window, found)
        took = f"{time.monotonic() - began:.1f} s; {progress.took(lasts(variants, surfaces, 1, rounds))}"
        print(f"{start + 1}/{starts} inside, {', '.join(surfaces)} ({took})", file=sys.stderr)
    titles = [window.title for window in WINDOWS]
    for surface in surfaces:
        costs = {one.name: [found[surface, window.title, one.name] for window in WINDOWS] for one in variants}
        base, *others = costs
        more = {
            name: [
                Spread.of_difference(list(zip(ours, theirs, strict=True)))
                for ours, theirs in zip(costs[name], costs[base], strict=True)
            ]
            for name in others
        }
        spreads = {base: [Spread.of(values) for values in costs[base]]}
        note = f"The event loop's thread. Started {starts} times, {rounds} turns each time."
        yield difference_table(f"{title}, {surface}", titles, spreads, more, note)


def _take_turn(
    number: int,
    running: "Mapping[str, _Process]",
    surface: str,
    window: Window,
    found: dict[tuple[str, str, str], list[float]],
) -> None:
    """Each measures once; another begins every time, and what was measured before they were warm is forgotten."""
    names = list(running)
    shift = number % len(names)
    for name in names[shift:] + names[:shift]:
        cost = running[name].cost(surface, window)
        if number >= 0:
            found.setdefault((surface, window.title, name), []).append(cost / 1e3)


class _Process:
    def __init__(self, process: "subprocess.Popen[str]", log: Path) -> None:
        self._process = process
        self._log = log

    def cost(self, surface: str, window: Window) -> float:
        """What a unit of the window costs it, in nanoseconds."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{surface} {msgspec.json.encode(window).decode()}\n")
        self._process.stdin.flush()
        return float(self.line())

    def line(self) -> str:
        """What it says next."""
        assert self._process.stdout is not None
        if told := self._process.stdout.readline():
            return told
        raise Unavailable(f"it ended: {' '.join(self._log.read_text('utf-8').splitlines()[-3:])}")


@contextmanager
def _process(world: World, variant: Variant) -> Iterator[_Process]:
    made = furnished(world, msgspec.structs.replace(variant, files=(_FED,)))
    stream, completion, key, told, log = (made.folder / f"inside.{kind}" for kind in _FILES)
    stream.write_bytes(fetched(world.base_url, STREAM, stream=True))
    completion.write_bytes(fetched(world.base_url, COMPLETION, stream=False))
    key.touch(mode=0o600)
    key.write_text(made.key.reveal(), "utf-8")
    order = Order(str(stream), str(completion), str(key), [str(file) for file in made.plugins])
    told.write_bytes(msgspec.json.encode(order))
    with log.open("wb") as errors, pinned(world.cores):
        process = subprocess.Popen(
            [sys.executable, "-m", "bench.inside", str(told)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            cwd=ROOT,
            env=dict(made.environ),
        )
    with process:  # it ends with its stdin
        running = _Process(process, log)
        active = running.line().split()
        wanted = {*shipped(), *(file.stem for file in made.plugins)} - set(variant.off)
        if missing := wanted - set(active):
            raise Unavailable(f"the gateway runs without {', '.join(sorted(missing))}")
        yield running
