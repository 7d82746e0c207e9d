"""What plugins cost: gateways that differ in them only, asked in turn."""

from collections.abc import Sequence

import msgspec

from bench.gateways import Variant, World, gateways
from bench.noop import KINDS
from bench.rounds import Rounds
from bench.scenarios import COMPARED, Scenario
from bench.target import Target, Unavailable

BASE = Variant()
OBSERVERS = (
    BASE,
    Variant("10 observers", "observers", 10),
    Variant("10 observers of deltas", "delta_observers", 10),
)
DEFAULTS = ("keys", "supabase")
"""Default plugins that a request can do without; the others are what it asks for."""


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


def names_of(targets: Sequence[Target]) -> list[str]:
    """What the targets are called."""
    return [target.name for target in targets]
