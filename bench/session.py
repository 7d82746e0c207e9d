"""One run of the benchmarks: the groups that were asked for, one after the other, each leaving its tables."""

import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgspec

from bench.certificate import write_certificate
from bench.comparing import FEW_OBSERVERS, OBSERVERS, compare, extras, kinds, without, without_keys
from bench.contestants import direct, peers
from bench.gateways import Variant, World, gateways
from bench.inside.turns import lasts, turns
from bench.machine import Cores
from bench.profiling import PROFILED, profile_tables
from bench.report import Table, comparison_table, scenario_table
from bench.rounds import Progress, Rounds
from bench.scenarios import COMPARED, COMPARING, OBSERVING, OPEN, OPENING, SCENARIOS, Pace, Scenario
from bench.starting import starting_table
from bench.target import Unavailable
from bench.tools import ToolMissing, Upstream

OWN_GROUPS = ("startup", "workers", "profile", "plugins", "extras", "observers", "observers-inside")
"""What is measured of our gateway only; its profile beside the bare forwarder's where that is measured, too."""
GROUPS = (*dict.fromkeys(scenario.group for scenario in SCENARIOS), *OWN_GROUPS)
HEADLINES = ("json-1", "json-64", "burst-100", "paced-100", "paced-1000", "startup")
"""What a quick run measures."""
SHORTER = tuple(group for group in GROUPS if group not in ("plugins", "extras", "observers-inside"))
"""What a short run measures."""
_ROUNDS = 2
_MOST_ROUNDS = 3
"""How many more rounds comparisons take than scenarios."""
_STARTING = 5.0
"""Seconds around the streams that a start is measured with."""
_FOR_WORKERS = 2
"""Scenarios in which workers are compared."""


class Job(msgspec.Struct, frozen=True):
    """Something that will be measured, and about how many seconds it takes."""

    seconds: float
    tables: Callable[[], Iterator[Table]]


class Session:
    """The world of one run, and what was found in it."""

    def __init__(self, world: World, pace: Pace, cores: Cores, upstreams: dict[bool, int]) -> None:
        self._world = world
        self._pace = pace
        self._cores = cores
        self._upstreams = upstreams
        self._progress = Progress(0)
        self.missing: list[str] = []
        """What was asked for and could not be measured, with the reason."""

    def run(self, wanted: Sequence[str], surfaces: Sequence[str], contestants: Sequence[str]) -> Iterator[Table]:
        """Measure the groups and scenarios that are wanted; their tables, as they are ready."""
        served = self._served(surfaces)
        jobs = [*self._contests(wanted, served, contestants), *self._own(wanted, served)]
        if "profile" in wanted:
            jobs.append(self._profiled(served[:1], [name for name in contestants if name == "bare"]))
        seconds = sum(job.seconds for job in jobs)
        print(f"about {seconds / 60:.0f} min", file=sys.stderr)
        self._progress = Progress(seconds)
        for job in jobs:
            yield from job.tables()

    def _contests(self, wanted: Sequence[str], served: Sequence[str], contestants: Sequence[str]) -> Iterator[Job]:
        chosen = [scenario for scenario in SCENARIOS if {scenario.name, scenario.group} & set(wanted)]
        if not self._world.tls_url:
            chosen = [scenario for scenario in chosen if not scenario.tls]
        if chosen:
            plain = len(served) + 1 + len(contestants)
            runs = [scenario.lasts(self._pace) * (len(served) if scenario.tls else plain) for scenario in chosen]
            yield Job(sum(runs) * self._pace.repeats, lambda: self._contest(chosen, served, contestants))

    def _own(self, wanted: Sequence[str], served: Sequence[str]) -> Iterator[Job]:
        surface, repeats = served[0], self._pace.repeats
        if "startup" in wanted:
            seconds = repeats * (OPEN.lasts(OPENING) + _STARTING)
            yield Job(seconds, lambda: iter([starting_table(self._world, surface, repeats, self._rounds)]))
        if "workers" in wanted:
            yield Job(_FOR_WORKERS * 2 * repeats * SCENARIOS[1].lasts(self._pace), lambda: self._workers(surface))
        if "plugins" in wanted:
            yield self._comparing("Without one of the default plugins", without(), surface)
            if "custom" in served:
                yield self._comparing("Without keys", without_keys(), "custom")
        if "extras" in wanted:
            for kind in kinds():
                yield self._comparing(f"Plugins that do nothing: {kind.replace('_', ' ')}", extras(kind), surface)
        if "observers" in wanted or "observers-inside" in wanted:
            yield self._inside("Observers that do nothing, inside the process", FEW_OBSERVERS, served)
        if "observers" in wanted:
            for one in served:
                variants = OBSERVERS if one == surface else FEW_OBSERVERS
                yield self._comparing(f"Observers that do nothing, {one}", variants, one, OBSERVING, _MOST_ROUNDS)

    def _profiled(self, surfaces: Sequence[str], contestants: Sequence[str]) -> Job:
        runs = [scenario.lasts(self._pace) for scenario in PROFILED]

        def tables() -> Iterator[Table]:
            rounds = self._rounds(self._pace)
            with ExitStack() as stack:
                targets = stack.enter_context(gateways(self._world, [Variant()], surfaces))
                try:
                    targets += [stack.enter_context(peers()[name](self._world)) for name in contestants]
                    yield from profile_tables(targets, rounds, self._world.folder)
                except Unavailable as error:
                    self.missing.append(f"profile: {error}")

        return Job(sum(runs) * (1 + len(contestants)), tables)

    def _served(self, surfaces: Sequence[str]) -> Sequence[str]:
        """Those of the surfaces that the gateway has."""
        with gateways(self._world, [Variant("asked")], surfaces) as targets:
            served = [one for one in surfaces if f"asked {one}" in {target.name for target in targets}]
        self.missing += [f"gateway {one}: not served" for one in surfaces if one not in served]
        if not served:
            raise Unavailable(f"the gateway serves none of {', '.join(surfaces)}")
        return served

    def _rounds(self, pace: Pace) -> Rounds:
        return Rounds(pace, self._cores.others, self._upstreams, self._world.folder, self._progress)

    def _contest(
        self, chosen: Sequence[Scenario], surfaces: Sequence[str], contestants: Sequence[str]
    ) -> Iterator[Table]:
        rounds = self._rounds(self._pace)
        with ExitStack() as stack:
            targets = stack.enter_context(gateways(self._world, [Variant()], surfaces))
            ours = targets[0].name
            targets.append(direct(self._world, self._upstreams[False]))
            for name in contestants:
                try:
                    targets.append(stack.enter_context(peers()[name](self._world)))
                except Unavailable as error:
                    self.missing.append(f"{name}: {error}")
            rounds.run(chosen, targets)
            names = [target.name for target in targets]
        for scenario in chosen:
            yield scenario_table(scenario, rounds, names, ours)

    def _workers(self, surface: str) -> Iterator[Table]:
        """Two workers on both cores, where upstream and load are too: told for information."""
        chosen = [scenario for scenario in SCENARIOS if scenario.name in ("json-64", "burst-100")]
        world = msgspec.structs.replace(self._world, cores=self._cores.together)
        rounds = self._rounds(self._pace)
        with gateways(world, [Variant("1 worker"), Variant("2 workers", workers=2)], [surface]) as targets:
            rounds.run(chosen, targets)
            for scenario in chosen:
                table = scenario_table(scenario, rounds, [target.name for target in targets], targets[0].name)
                yield Table(f"{table.title}, all on both cores", table.columns, table.rows)

    def _comparing(
        self, title: str, variants: Sequence[Variant], surface: str, pace: Pace = COMPARING, more: int = _ROUNDS
    ) -> Job:
        pace = msgspec.structs.replace(pace, repeats=self._pace.repeats * more)
        runs = sum(scenario.lasts(pace) for scenario in COMPARED) * pace.repeats

        def tables() -> Iterator[Table]:
            try:
                yield comparison_table(compare(title, self._world, variants, surface, self._rounds(pace)))
            except Unavailable as error:
                self.missing.append(f"{title}: {error}")

        return Job(len(variants) * runs, tables)

    def _inside(self, title: str, variants: Sequence[Variant], surfaces: Sequence[str]) -> Job:
        starts = self._pace.repeats

        def tables() -> Iterator[Table]:
            try:
                yield from turns(title, self._world, variants, surfaces, starts, self._progress)
            except Unavailable as error:
                self.missing.append(f"{title}: {error}")

        return Job(lasts(variants, surfaces, starts), tables)


@contextmanager
def session(pace: Pace, cores: Cores) -> Iterator[Session]:
    """Start the upstreams and prepare everything that servers need."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gateway-bench-")))
        plain = stack.enter_context(Upstream(cores.others))
        upstreams, tls_url, cert, missing = {False: plain.pid}, "", None, []
        try:
            cert, key = write_certificate(folder)
            tls = stack.enter_context(Upstream(cores.others, cert=cert, key=key))
            tls_url, upstreams[True] = tls.base_url, tls.pid
        except ToolMissing:
            missing.append(
                "TLS upstream: built without it (apt-get install libssl-dev, remove build/bench, then make bench-tools)"
            )
            cert = None
        models = [scenario.model(pace) for scenario in SCENARIOS]
        models += [OPEN.model(OPENING)]
        models += [scenario.model(pace) for pace in (COMPARING, OBSERVING) for scenario in COMPARED]
        world = World(folder, cores.gateway, plain.base_url, tls_url, cert, tuple(dict.fromkeys(models)))
        made = Session(world, pace, cores, upstreams)
        made.missing += missing
        yield made
