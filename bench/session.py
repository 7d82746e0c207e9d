"""One run of the benchmarks: the groups that were asked for, one after the other, each leaving its tables."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgspec

from bench.certificate import write_certificate
from bench.comparing import OBSERVERS, compare, extras, kinds, spared, without
from bench.contestants import direct, peers
from bench.gateways import Variant, World, gateways
from bench.machine import Cores
from bench.report import Table, comparison_table, scenario_table
from bench.rounds import Rounds
from bench.scenarios import COMPARED, COMPARING, OPEN, OPENING, SCENARIOS, Pace, Scenario
from bench.starting import starting_table
from bench.target import Unavailable
from bench.tools import ToolMissing, Upstream

OWN_GROUPS = ("startup", "workers", "plugins", "extras", "observers")
"""What is measured of our gateway only."""
GROUPS = (*dict.fromkeys(scenario.group for scenario in SCENARIOS), *OWN_GROUPS)
HEADLINES = ("json-1", "json-64", "burst-100", "paced-100", "paced-1000", "startup")
"""What a quick run measures."""
_ROUNDS = 2
_MOST_ROUNDS = 5
"""How many more rounds comparisons take than scenarios."""


class Session:
    """The world of one run, and what was found in it."""

    def __init__(self, world: World, pace: Pace, cores: Cores, upstreams: dict[bool, int]) -> None:
        self._world = world
        self._pace = pace
        self._cores = cores
        self._upstreams = upstreams
        self.missing: list[str] = []
        """What was asked for and could not be measured, with the reason."""

    def run(self, wanted: Sequence[str], surfaces: Sequence[str], contestants: Sequence[str]) -> Iterator[Table]:
        """Measure the groups and scenarios that are wanted; their tables, as they are ready."""
        chosen = [scenario for scenario in SCENARIOS if {scenario.name, scenario.group} & set(wanted)]
        if not self._world.tls_url:
            chosen = [scenario for scenario in chosen if not scenario.tls]
        if chosen:
            yield from self._contest(chosen, surfaces, contestants)
        if not set(OWN_GROUPS) & set(wanted):
            return
        served = self._served(surfaces)
        surface = served[0]
        if "startup" in wanted:
            yield starting_table(self._world, surface, self._pace.repeats, self._rounds)
        if "workers" in wanted:
            yield from self._workers(surface)
        if "plugins" in wanted:
            for plugin in spared():
                # Only the custom route can be open to anybody, without keys.
                yield from self._compared(
                    f"The plugin {plugin}", without(plugin), "custom" if plugin == "keys" else surface
                )
        if "extras" in wanted:
            for kind in kinds():
                yield from self._compared(f"Plugins that do nothing: {kind.replace('_', ' ')}", extras(kind), surface)
        if "observers" in wanted:
            for one in served:
                yield from self._compared("Observers that do nothing", OBSERVERS, one, _MOST_ROUNDS)

    def _served(self, surfaces: Sequence[str]) -> Sequence[str]:
        """Those of the surfaces that the gateway has."""
        with gateways(self._world, [Variant("asked")], surfaces) as targets:
            served = [one for one in surfaces if f"asked {one}" in {target.name for target in targets}]
        if not served:
            raise Unavailable(f"the gateway serves none of {', '.join(surfaces)}")
        return served

    def _rounds(self, pace: Pace) -> Rounds:
        return Rounds(pace, self._cores.others, self._upstreams, self._world.folder)

    def _contest(
        self, chosen: Sequence[Scenario], surfaces: Sequence[str], contestants: Sequence[str]
    ) -> Iterator[Table]:
        rounds = self._rounds(self._pace)
        with ExitStack() as stack:
            targets = stack.enter_context(gateways(self._world, [Variant()], surfaces))
            ours = targets[0].name
            served = {target.name for target in targets}
            self.missing += [f"gateway {one}: not served" for one in surfaces if f"gateway {one}" not in served]
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

    def _compared(self, title: str, variants: Sequence[Variant], surface: str, more: int = _ROUNDS) -> Iterator[Table]:
        pace = msgspec.structs.replace(COMPARING, repeats=self._pace.repeats * more)
        try:
            yield comparison_table(compare(title, self._world, variants, surface, self._rounds(pace)))
        except Unavailable as error:
            self.missing.append(f"{title}: {error}")


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
        models += [scenario.model(COMPARING) for scenario in COMPARED]
        world = World(folder, cores.gateway, plain.base_url, tls_url, cert, tuple(dict.fromkeys(models)))
        made = Session(world, pace, cores, upstreams)
        made.missing += missing
        yield made
