"""What plugins cost: gateways that differ in them only, asked in turn."""

from collections.abc import Sequence
from importlib.metadata import entry_points

import msgspec

from bench.gateways import Variant, World, gateways
from bench.noop import KINDS
from bench.rounds import Rounds
from bench.scenarios import COMPARED, Scenario
from bench.target import Unavailable
from gateway.runtime.discovery import GROUP, OURS

BASE = Variant()
OBSERVERS = (
    BASE,
    Variant("10 observers", "observers", 10),
    Variant("10 observers of deltas", "delta_observers", 10),
    Variant("500 observers", "observers", 10, each=50),
    Variant("500 observers of deltas", "delta_observers", 10, each=50),
)
"""Ten cost next to nothing, so little that a busy machine hides it: a fiftieth of what 500 cost says it, too."""
_NEEDED = ("chatbot_ui", "openai", "registry")
"""Default plugins that the requests of the comparison need."""


class Comparison(msgspec.Struct, frozen=True):
    """Variants beside their base, and what was measured of them."""

    title: str
    base: str
    names: Sequence[str]
    rounds: Rounds
    scenarios: Sequence[Scenario] = COMPARED


def compare(title: str, world: World, variants: Sequence[Variant], surface: str, rounds: Rounds) -> Comparison:
    """Run the variants side by side; the first of them is the base."""
    with gateways(world, variants, [surface]) as targets:
        if len(targets) != len(variants):
            raise Unavailable(f"the surface {surface} is not served")
        rounds.run(COMPARED, targets)
        for scenario, target in ((scenario, target) for scenario in COMPARED for target in targets):
            if trouble := rounds.trouble(scenario, target.name):
                raise Unavailable(trouble)
        return Comparison(title, targets[0].name, [target.name for target in targets[1:]], rounds)


def extras(kind: str) -> tuple[Variant, ...]:
    """None, one, five and ten plugins of a kind that do nothing."""
    words = kind.replace("_", " ")
    return (BASE, *(Variant(f"{count} {words if count > 1 else words[:-1]}", kind, count) for count in (1, 5, 10)))


def kinds() -> Sequence[str]:
    """The kinds of plugins that can be added without changing what a gateway does."""
    return tuple(KINDS)


def without(plugin: str) -> tuple[Variant, ...]:
    """With and without one of the default plugins; nobody is asked for a key in either."""
    environ = {"GATEWAY_PLUGINS__CHATBOT_UI__OPEN_ROUTE": "true"} if plugin == "keys" else {}
    return (Variant("all defaults", environ=environ), Variant(f"without {plugin}", off=(plugin,), environ=environ))


def spared() -> Sequence[str]:
    """The default plugins that a request can do without."""
    ours = [point for point in entry_points(group=GROUP) if point.dist and point.dist.name == OURS]
    return [point.name for point in ours if point.name not in _NEEDED]
