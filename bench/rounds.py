"""Runs the targets of a field side by side: interleaved and repeated."""

import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random
from statistics import median

import msgspec

from bench.field import Field
from bench.scenarios import FIGURES, Pace, Scenario
from bench.target import Target, Unavailable
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
        """How much more the first of each pair is: the median of their differences, and its 95 % interval.

        Both of a pair were measured within one round, so what slows the machine down for a while weighs on both. The
        interval is the middle 95 % of the same for as many pairs drawn at random.
        """
        dice, differences = Random(1), [one - other for one, other in pairs]
        drawn = sorted(median(dice.choices(differences, k=len(differences))) for _ in range(_DRAWS))
        return cls(median(differences), drawn[_DRAWS // 40], drawn[-_DRAWS // 40])


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
        self._unmeasured: dict[tuple[str, str], str] = {}
        self._anew: Counter[tuple[str, str]] = Counter()

    def field(self) -> Field:
        """A new field before the same upstreams."""
        return Field(tuple(self._upstreams.values()), self._pace.quiet)

    def run(self, scenarios: Sequence[Scenario], field: Field) -> None:
        """Every scenario against every target, the targets in turn, `repeats` times; the first of them alternates."""
        for number in range(self._pace.repeats):
            for scenario in scenarios:
                able = [target.name for target in field.targets if scenario.suits(target)]
                shift = number % len(able) if able else 0
                for name in able[shift:] + able[:shift] if number < scenario.repeats(self._pace) else ():
                    self._once(scenario, field, name, number)
        self._anew += field.anew

    def _once(self, scenario: Scenario, field: Field, name: str, number: int) -> None:
        try:
            with field.turn(name, scenario.name) as target:
                self.measure(scenario, target, number)
        except Unavailable as error:
            self._unmeasured[scenario.name, name] = said = f"{name} was not always measured: {error}."
            print(f"{number + 1}/{scenario.repeats(self._pace)} {scenario.name}, {said}", file=sys.stderr)

    def measure(self, scenario: Scenario, target: Target, number: int = 0) -> None:
        """One scenario against one target that runs alone."""
        upstream = self._upstreams[scenario.tls]
        started = time.monotonic()
        sample = scenario.run(target, self._pace, self._cores, upstream, self._folder)
        self.samples.setdefault((scenario.name, target.name), []).append(sample)
        shown = ", ".join(f"{name} {FIGURES[name](sample):,.1f}" for name in scenario.figures[:3])
        trouble = f"; WRONG: {sample.trouble}" if sample.wrong else ""
        took = f"({time.monotonic() - started:.1f} s; {self._progress.took(scenario.lasts(self._pace))})"
        print(
            f"{number + 1}/{scenario.repeats(self._pace)} {scenario.name}, {target.name}: {shown}{trouble} {took}",
            file=sys.stderr,
        )

    def told(self, scenario: Scenario) -> str:
        """How often and how long each was run."""
        count = max((len(samples) for (name, _), samples in self.samples.items() if name == scenario.name), default=0)
        return f"{count} run{'s' * (count != 1)} of {scenario.window(self._pace):g} s each."

    def trouble(self, scenario: Scenario, target: str) -> str:
        """What spoils its figures; empty when nothing does."""
        samples = self.samples.get((scenario.name, target), [])
        said = "; ".join(sample.trouble for sample in samples if sample.wrong)
        wrong = f"{target} answered wrongly: {said}." if said else ""
        return " ".join(filter(None, (wrong, self._unmeasured.get((scenario.name, target)))))

    def restless(self, scenario: Scenario, target: str) -> str:
        """Whether it stayed busy when it had nothing more to do; empty when it did not."""
        count = self._anew[scenario.name, target]
        times = f"{count} times" if count > 1 else "once"
        return f"{target} stayed busy after its run, and was started anew {times}." if count else ""

    def figure(self, scenario: Scenario, target: str, name: str) -> Spread | None:
        """One figure of all repeats; None when it was not measured."""
        samples = self.samples.get((scenario.name, target))
        return Spread.of([FIGURES[name](sample) for sample in samples]) if samples else None

    def difference(self, scenario: Scenario, target: str, base: str, name: str) -> Spread:
        """How much more it is than the base's."""
        ours, theirs = self.samples[scenario.name, target], self.samples[scenario.name, base]
        measured = FIGURES[name]
        return Spread.of_difference([(measured(one), measured(other)) for one, other in zip(ours, theirs, strict=True)])
