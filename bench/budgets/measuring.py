"""Counts a running gateway: every shape in every mode, in windows that hold one exchange."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.budgets.costs import Cost, Costs, Finding, judged, with_totals
from bench.budgets.lockstep import Counted, Lockstep
from bench.budgets.shapes import FOREIGN, MODEL, SHAPES, Shape
from bench.gateways import Variant, World, running, targets_of
from bench.target import Target
from bench.tools import ROOT, tool

_WARM = 3
_LEAST_WINDOWS, _MOST_WINDOWS = 3, 12
_AGREE = 0.003
MODES = ("python", "native", "garbage")
REGRESSION = 0.2
"""What has to be noticed."""
PLANTED = {"gateway.pipeline": "stream", "gateway.wire": "translated", "gateway.egress": "stream"}
"""Parts in which a regression can be planted, and the shape in which it has to be noticed: there the chat dialect's
encoder writes every chunk."""


class Measured:
    """A gateway that counts itself."""

    def __init__(self, lockstep: Lockstep, targets: Sequence[Target]) -> None:
        self._lockstep = lockstep
        self._port = targets[0].port
        self._requests = {target.name.split()[-1]: target.request for target in targets}
        self._empty: dict[str, Mapping[str, int]] = {}
        self._warmed: set[str] = set()

    def costs(self, shape: Shape, modes: Sequence[str] = MODES) -> Costs:
        """What this shape costs."""
        short, long = shape.lengths
        if shape.name not in self._warmed:
            self._warmed.add(shape.name)
            for _ in range(_WARM):
                self._ask(shape, short)
        found: dict[str, Cost] = {}
        for mode in modes:
            empty, few = self._nothing(mode), self._least(mode, shape, short)
            many = self._least(mode, shape, long) if long > short else few
            for measure in few.keys() | many.keys():
                less, more = few.get(measure, 0), many.get(measure, 0)
                chunk = max(0, more - less) / (long - short or 1)
                request = less - empty.get(measure, 0) - (chunk * short if shape.dialect else 0)
                found[measure] = Cost(round(request, 2), round(chunk, 3))
        return with_totals(dict(sorted(found.items())))

    def plant(self, part: str, request: float = 0, chunk: float = 0) -> None:
        """Make the part so many bytecodes dearer, or as it was."""
        self._lockstep.control(self._port, f"plant/{part}/{round(request)}/{round(chunk)}")

    def _nothing(self, mode: str) -> Mapping[str, int]:
        """What a window costs in which nobody asks."""
        if mode not in self._empty:
            self._empty[mode] = self._least(mode, None, 0)
        return self._empty[mode]

    def _least(self, mode: str, shape: Shape | None, length: int) -> Mapping[str, int]:
        """The least of several windows, until two agree: what else the gateway does falls into some, and only adds."""
        windows: list[Mapping[str, int]] = []
        while len(windows) < _MOST_WINDOWS:
            windows.append(self._window(mode, shape, length))
            least = sorted(sum(window.values()) for window in windows)
            if len(windows) >= _LEAST_WINDOWS and least[1] <= least[0] * (1 + _AGREE):
                break
        measures = {measure for window in windows for measure in window}
        return {measure: min(window.get(measure, 0) for window in windows) for measure in measures}

    def _window(self, mode: str, shape: Shape | None, length: int) -> Mapping[str, int]:
        self._lockstep.control(self._port, mode)
        if shape is not None:
            self._ask(shape, length)
        return self._lockstep.control(self._port, "stop")

    def _ask(self, shape: Shape, length: int) -> None:
        request = self._requests[shape.surface](shape.ask)
        self._lockstep.ask(self._port, request, shape.writes(length), length, shape.together)


@contextmanager
def measured(folder: Path, *, by_function: bool = False) -> Iterator[Measured]:
    """Start a gateway with all default plugins and the one that counts."""
    counter = str(tool("counter.so"))
    environ = {"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "0", "LD_PRELOAD": counter, "BENCH_COUNTER": counter}
    if by_function:
        environ["BENCH_BY_FUNCTION"] = "1"
    variant = Variant("counted", environ=environ, files=(Path(__file__).with_name("counting.py"),))
    with Lockstep() as lockstep:
        base_url = f"http://127.0.0.1:{lockstep.port}/v1"
        cores = frozenset(os.sched_getaffinity(0))
        world = World(folder, cores, base_url, models=(MODEL,), foreign={FOREIGN: "anthropic"})
        with running(world, variant) as server:
            targets = targets_of(world, variant, server, ("chat", "custom"))
            if len(targets) < 2:
                raise Counted("The gateway does not serve both surfaces.")
            yield Measured(lockstep, targets)


def all_costs(gateway: Measured) -> Mapping[str, Costs]:
    """Every shape's costs, by its name."""
    return {shape.name: gateway.costs(shape) for shape in SHAPES}


def noticed(gateway: Measured, part: str, clean: Costs) -> Sequence[Finding]:
    """What goes over its budget when the part costs a fifth more than these."""
    shape = next(shape for shape in SHAPES if shape.name == PLANTED[part])
    cost = clean[f"bytecodes {part}"]
    gateway.plant(part, REGRESSION * cost.request, REGRESSION * cost.chunk)
    try:
        dearer = gateway.costs(shape, ("python",))
    finally:
        gateway.plant(part)
    return [one for one in judged({shape.name: dearer}, {shape.name: clean}) if one.over]
