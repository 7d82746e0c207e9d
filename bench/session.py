"""One run of the benchmarks: the groups that were asked for, one after the other, each leaving its tables."""

import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from functools import partial
from pathlib import Path

import msgspec

from bench.certificate import write_certificate
from bench.comparing import FEW_OBSERVERS, OBSERVERS, compare, extras, kinds, without, without_keys, without_working
from bench.contestants import SLOW, SUITED, contesting, direct
from bench.gateways import Variant, World, serving
from bench.inside.turns import ROUNDS, lasts, turns
from bench.machine import Cores
from bench.page import CONTEST, NEEDS, PLUGINS, PROFILE
from bench.pausing import SECONDS, pauses_table
from bench.profiling import PROFILED, profile_tables
from bench.report import Table, comparison_table, scenario_table, summary_table
from bench.rounds import Progress, Rounds
from bench.scenarios import COMPARED, COMPARING, OBSERVING, OPEN, OPENING, SCENARIOS, Pace, Scenario
from bench.starting import starting_table
from bench.target import Unavailable
from bench.tools import ToolMissing, Upstream

GROUPS = (
    *dict.fromkeys(scenario.group for scenario in SCENARIOS),
    *("pauses", "startup", "workers", "profile", "plugins", "extras", "observers", "observers-inside"),
)
"""Behind the pauses, which are the machine's, they are measured of our gateway only; its profile beside the bare
forwarder's where that is measured, too."""
WHOLE = tuple(group for group in GROUPS if not group.startswith("observers"))
"""What a whole run measures: `extras` has ten observers, too."""
HEADLINES = ("json-1", "json-64", "burst-100", "paced-100", "paced-1000", "startup")
"""What a quick run measures."""
_STARTING = 2.5
"""About the seconds until a gateway has its database, has started and rests."""
_SLOWER = 2.5
"""About the seconds that the last answers of a slow contestant take longer."""
_ROUNDS = 3
"""How many times more rounds comparisons take than scenarios."""
_FOR_WORKERS = tuple(scenario for scenario in SCENARIOS if scenario.name in ("json-64", "burst-100"))


class Job(msgspec.Struct, frozen=True):
    """Something that will be measured, and about how many seconds it takes."""

    section: str
    title: str
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
        """Print the plan, and measure the groups and scenarios that are wanted; their tables, as they are ready."""
        served = self._served(surfaces)
        jobs = [*self._contests(wanted, served, contestants), *self._own(wanted, served)]
        if "pauses" in wanted:
            repeats = self._pace.repeats
            jobs.insert(
                0, Job(CONTEST, "pauses", repeats * SECONDS, lambda: iter([pauses_table(self._cores, repeats)]))
            )
        if "profile" in wanted:
            jobs.append(self._profiled(served[:1], [name for name in contestants if name == "bare"]))
        jobs += self._plugins(wanted, served)
        for job in jobs:
            print(f"{job.seconds / 60:5.1f} min  {job.title}", file=sys.stderr)
        seconds = sum(job.seconds for job in jobs)
        print(f"{seconds / 60:5.1f} min  in all", file=sys.stderr)
        self._progress = Progress(seconds)
        for job in jobs:
            for table in job.tables():
                yield msgspec.structs.replace(table, section=job.section)

    def _contests(self, wanted: Sequence[str], served: Sequence[str], contestants: Sequence[str]) -> Iterator[Job]:
        chosen = [scenario for scenario in SCENARIOS if {scenario.name, scenario.group} & set(wanted)]
        if not self._world.tls_url:
            chosen = [scenario for scenario in chosen if not scenario.tls]
        if not chosen:
            return
        slow = [name for name in contestants if name in SLOW]
        seconds = _STARTING * (1 + len(contestants))
        for scenario in chosen:
            many = len(served) if scenario.tls else len(served) + 1 + len(contestants) - len(slow)
            one, few = scenario.lasts(self._pace), len(slow) * (scenario.name in SUITED)
            seconds += scenario.repeats(self._pace) * (one * many + (one + _SLOWER) * few)
        if any(scenario.name not in SUITED for scenario in chosen):
            self.missing += [f"{name} but in {', '.join(SUITED)}: it is too slow to tell more" for name in slow]
        yield Job(CONTEST, "the contestants in turn", seconds, lambda: self._contest(chosen, served, contestants))

    def _own(self, wanted: Sequence[str], served: Sequence[str]) -> Iterator[Job]:
        surface, repeats = served[0], self._pace.repeats
        if "startup" in wanted:
            seconds = repeats * (OPEN.lasts(OPENING) + 2 * _STARTING)
            yield Job(
                NEEDS, "start", seconds, lambda: iter([starting_table(self._world, surface, repeats, self._rounds)])
            )
        if "workers" in wanted:
            runs = [scenario.lasts(self._pace) * scenario.repeats(self._pace) for scenario in _FOR_WORKERS]
            yield Job(NEEDS, "two workers", 2 * sum(runs) + 3 * _STARTING, lambda: self._workers(surface))

    def _plugins(self, wanted: Sequence[str], served: Sequence[str]) -> Iterator[Job]:
        surface = served[0]
        few = partial(self._inside, starts=max(1, self._pace.repeats - 1), rounds=ROUNDS // 2)
        if "plugins" in wanted:
            yield few("Without one of the default plugins", without(), [surface])
            yield self._comparing("Without one of the default plugins, the whole process", without_working(), surface)
            if "custom" in served:
                yield few("Without keys", without_keys(), ["custom"])
                yield self._comparing("Without keys, the whole process", without_keys(), "custom")
        if "extras" in wanted:
            for kind in kinds():
                yield few(f"Plugins that do nothing: {kind.replace('_', ' ')}", extras(kind), [surface])
        if "observers" in wanted or "observers-inside" in wanted:
            yield self._inside("Observers that do nothing", FEW_OBSERVERS, served, self._pace.repeats)
        if "observers" in wanted:
            for one in served:
                variants = OBSERVERS if one == surface else FEW_OBSERVERS
                yield self._comparing(f"Observers that do nothing, the whole process, {one}", variants, one, OBSERVING)

    def _profiled(self, surfaces: Sequence[str], contestants: Sequence[str]) -> Job:
        runs = [scenario.lasts(self._pace) for scenario in PROFILED]

        def tables() -> Iterator[Table]:
            rounds = self._rounds(self._pace)
            with rounds.field() as field:
                try:
                    field.enter(partial(serving, self._world, Variant(), surfaces))
                    for name in contestants:
                        field.enter(partial(contesting, name, self._world))
                    yield from profile_tables(field, rounds, self._world.folder)
                except Unavailable as error:
                    self.missing.append(f"profile: {error}")

        return Job(PROFILE, "profiles", (sum(runs) + _STARTING) * (1 + len(contestants)), tables)

    def _served(self, surfaces: Sequence[str]) -> Sequence[str]:
        """Those of the surfaces that the gateway has."""
        with serving(self._world, Variant("asked"), surfaces) as targets:
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
        with rounds.field() as field:
            ours = field.enter(partial(serving, self._world, Variant(), surfaces))[0].name
            field.enter(lambda: nullcontext([direct(self._world, self._upstreams[False])]))
            for name in contestants:
                try:
                    field.enter(partial(contesting, name, self._world))
                except Unavailable as error:
                    self.missing.append(f"{name}: {error}")
            rounds.run(chosen, field)
            names = [target.name for target in field.targets]
        yield summary_table(chosen, rounds, names, ours)
        for scenario in chosen:
            yield scenario_table(scenario, rounds, names, ours)

    def _workers(self, surface: str) -> Iterator[Table]:
        """Two workers on both cores, where upstream and load are too: told for information."""
        world = msgspec.structs.replace(self._world, cores=self._cores.together)
        rounds = self._rounds(self._pace)
        with rounds.field() as field:
            for variant in (Variant("1 worker"), Variant("2 workers", workers=2)):
                field.enter(partial(serving, world, variant, [surface]))
            rounds.run(_FOR_WORKERS, field)
            names = [target.name for target in field.targets]
        for scenario in _FOR_WORKERS:
            table = scenario_table(scenario, rounds, names, names[0])
            yield msgspec.structs.replace(table, title=f"{table.title}, all on both cores")

    def _comparing(self, title: str, variants: Sequence[Variant], surface: str, pace: Pace = COMPARING) -> Job:
        pace = msgspec.structs.replace(pace, repeats=self._pace.repeats * _ROUNDS)
        runs = sum(scenario.lasts(pace) for scenario in COMPARED) * pace.repeats

        def tables() -> Iterator[Table]:
            try:
                yield comparison_table(compare(title, self._world, variants, surface, self._rounds(pace)))
            except Unavailable as error:
                self.missing.append(f"{title}: {error}")

        return Job(PLUGINS, title, len(variants) * (runs + _STARTING), tables)

    def _inside(
        self, title: str, variants: Sequence[Variant], surfaces: Sequence[str], starts: int, rounds: int = ROUNDS
    ) -> Job:
        def tables() -> Iterator[Table]:
            try:
                yield from turns(title, self._world, variants, surfaces, starts, self._progress, rounds)
            except Unavailable as error:
                self.missing.append(f"{title}: {error}")

        return Job(PLUGINS, f"{title}, inside the process", lasts(variants, surfaces, starts, rounds), tables)


@contextmanager
def session(pace: Pace, cores: Cores) -> Iterator[Session]:
    """Start the upstreams and prepare everything that servers need."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gateway-bench-")))
        plain = stack.enter_context(Upstream(cores.others))
        upstreams, tls_url, cert, missing = {False: plain.pid}, "", None, []
        try:
            authority, signed = write_certificate(folder)
            tls = stack.enter_context(Upstream(cores.others, cert=signed, key=signed))
            tls_url, upstreams[True], cert = tls.base_url, tls.pid, authority
        except ToolMissing:
            missing.append(
                "TLS upstream: built without it (apt-get install libssl-dev, remove build/bench, then make bench-tools)"
            )
        models = [scenario.model(pace) for scenario in SCENARIOS]
        models += [OPEN.model(OPENING)]
        models += [scenario.model(pace) for pace in (COMPARING, OBSERVING) for scenario in COMPARED]
        world = World(folder, cores.gateway, plain.base_url, tls_url, cert, tuple(dict.fromkeys(models)))
        made = Session(world, pace, cores, upstreams)
        made.missing += missing
        yield made
