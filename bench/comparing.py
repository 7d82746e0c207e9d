"""What plugins cost: gateways that differ in them only, asked in turn."""

from collections.abc import Sequence
from functools import partial

import msgspec

from bench.gateways import Variant, World, serving, shipped
from bench.noop import KINDS
from bench.rounds import Rounds
from bench.scenarios import COMPARED, Scenario
from bench.target import Unavailable

BASE = Variant()
OBSERVERS = (
    BASE,
    Variant("10 observers", "observers", 10),
    Variant("10 observers of deltas", "delta_observers", 10),
    Variant("500 observers", "observers", 10, each=50),
    Variant("500 observers of deltas", "delta_observers", 10, each=50),
)
"""Ten cost next to nothing, so little that a busy machine hides it: a fiftieth of what 500 cost says it, too."""
FEW_OBSERVERS = OBSERVERS[:3]
_NEEDED = ("chatbot_ui", "openai", "registry")
"""Default plugins that the requests of the comparison need."""
_PROVIDERS = ("anthropic", "azure", "bedrock", "cohere", "gemini", "ollama")
"""Those that speak to other upstreams than the comparison's."""
_ALL = Variant("all defaults")


class Comparison(msgspec.Struct, frozen=True):
    """Variants beside their base, and what was measured of them."""

    title: str
    base: str
    names: Sequence[str]
    rounds: Rounds
    scenarios: Sequence[Scenario] = COMPARED


def compare(title: str, world: World, variants: Sequence[Variant], surface: str, rounds: Rounds) -> Comparison:
    """Let the variants take turns; the first of them is the base."""
    with rounds.field() as field:
        for variant in variants:
            if not field.enter(partial(serving, world, variant, [surface])):
                raise Unavailable(f"the surface {surface} is not served")
        rounds.run(COMPARED, field)
        base, *others = [target.name for target in field.targets]
    for scenario, name in ((scenario, name) for scenario in COMPARED for name in (base, *others)):
        if trouble := rounds.trouble(scenario, name):
            raise Unavailable(trouble)
    return Comparison(title, base, others, rounds)


def extras(kind: str) -> tuple[Variant, ...]:
    """None, one, five and ten plugins of a kind that do nothing."""
    words = kind.replace("_", " ")
    return (BASE, *(Variant(f"{count} {words if count > 1 else words[:-1]}", kind, count) for count in (1, 5, 10)))


def kinds() -> Sequence[str]:
    """The kinds of plugins that can be added without changing what a gateway does."""
    return tuple(KINDS)


def without() -> tuple[Variant, ...]:
    """With all default plugins, and without each that a request can do without."""
    return (_ALL, *(_without(name) for name in _spared()))


def without_working() -> tuple[Variant, ...]:
    """The same, with the providers that nobody asks left out together: no request calls them."""
    unasked = tuple(name for name in _spared() if name in _PROVIDERS)
    others = (_without(name) for name in _spared() if name not in _PROVIDERS)
    return (_ALL, Variant("without other providers", off=unasked), *others)


def _spared() -> Sequence[str]:
    return [name for name in shipped() if name not in (*_NEEDED, "keys")]


def _without(name: str) -> Variant:
    return Variant(f"without {name}", off=(name,))


def without_keys() -> tuple[Variant, ...]:
    """With and without the plugin that checks keys, on a custom route that is open to everybody."""
    environ = {"GATEWAY_PLUGINS__CHATBOT_UI__OPEN_ROUTE": "true"}
    return (Variant("all defaults", environ=environ), Variant("without keys", off=("keys",), environ=environ))
