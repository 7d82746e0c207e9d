"""Runs targets side by side: interleaved, repeated, with a pause until the last scenario is over."""

import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from statistics import median

import msgspec

from bench.machine import wait_until_quiet
from bench.scenarios import FIGURES, Pace, Scenario
from bench.target import Target
from bench.tools import Sample

_DRAWS = 1000


class Spread(msgspec.Struct, frozen=True):
    """A figure over all repeats."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Median, least and greatest."""
        return cls(median(values), min(values), max(values))

    @classmethod
    def of_difference(cls, pairs: Sequence[tuple[float, float]]) -> "Spread":
        """How much more the first of each pair is: of their lower quartiles, because what else runs only ever adds.

        The interval is the middle 95 % of the same for as many pairs drawn at random.
        """
        dice = Random(1)
        drawn = sorted(_more(dice.choices(pairs, k=len(pairs))) for _ in range(_DRAWS))
        return cls(_more(pairs), drawn[_DRAWS // 40], drawn[-_DRAWS // 40])


class Progress:
    """How far a session has come: runs take about as long as their windows say, times what the machine makes of it."""

    def __init__(self, planned: float) -> None:
        """`planned`: the seconds of all runs together."""
        self._planned = planned
        self._done = 0.0
        self._began = time.monotonic()

    def took(self, planned: float) -> str:
        """So much of the plan is done; how long the rest will take."""
        self._done += planned
        spent = time.monotonic() - self._began
        left = max(0.0, self._planned - self._done) * spent / self._done
        return f"{spent / 60:.0f} min done, about {left / 60:.0f} to go"


class Rounds:
    """All samples of one group of targets."""

    def __init__(
        self, pace: Pace, cores: frozenset[int], upstreams: Mapping[bool, int], folder: Path, progress: Progress
    ) -> None:
        self._progress = progress
        self._pace = pace
        self._cores = cores
        self._upstreams = upstreams
        self._folder = folder
        self.samples: dict[tuple[str, str], list[Sample]] = {}

    def run(self, scenarios: Sequence[Scenario], targets: Sequence[Target]) -> None:
        """Every scenario against every target, the targets in turn, `repeats` times; the first of them alternates."""
        for number in range(self._pace.repeats):
            for scenario in scenarios:
                able = [target for target in targets if target.tls or not scenario.tls]
                shift = number % len(able) if able else 0
                for target in able[shift:] + able[:shift]:
                    self.once(scenario, target, number)

    def once(self, scenario: Scenario, target: Target, number: int = 0) -> None:
        """One scenario against one target, when the last one is over."""
        upstream = self._upstreams[scenario.tls]
        wait_until_quiet((*target.pids, upstream), self._pace.quiet)
        started = time.monotonic()
        sample = scenario.run(target, self._pace, self._cores, upstream, self._folder)
        self.samples.setdefault((scenario.name, target.name), []).append(sample)
        shown = ", ".join(f"{name} {FIGURES[name](sample):,.1f}" for name in scenario.figures[:3])
        trouble = f"; WRONG: {sample.trouble}" if sample.wrong else ""
        took = f"({time.monotonic() - started:.1f} s; {self._progress.took(scenario.lasts(self._pace))})"
        print(
            f"{number + 1}/{self._pace.repeats} {scenario.name}, {target.name}: {shown}{trouble} {took}",
            file=sys.stderr,
        )

    def trouble(self, scenario: Scenario, target: str) -> str:
        """What was wrong with its answers; empty when nothing was."""
        samples = self.samples.get((scenario.name, target), [])
        said = "; ".join(sample.trouble for sample in samples if sample.wrong)
        return f"{target} answered wrongly: {said}." if said else ""

    def figure(self, scenario: Scenario, target: str, name: str) -> Spread | None:
        """One figure of all repeats; None when it was not measured."""
        samples = self.samples.get((scenario.name, target))
        return Spread.of([FIGURES[name](sample) for sample in samples]) if samples else None

    def difference(self, scenario: Scenario, target: str, base: str, name: str) -> Spread:
        """How much more it is than the base's."""
        ours, theirs = self.samples[scenario.name, target], self.samples[scenario.name, base]
        measured = FIGURES[name]
        return Spread.of_difference([(measured(one), measured(other)) for one, other in zip(ours, theirs, strict=True)])


def _more(pairs: Sequence[tuple[float, float]]) -> float:
    return _lower_quartile([one for one, _ in pairs]) - _lower_quartile([other for _, other in pairs])


def _lower_quartile(values: Sequence[float]) -> float:
    return sorted(values)[(len(values) - 1) // 4]
