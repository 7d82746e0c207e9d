"""Names that stand for several deployments: load balancing, fallbacks and aliases become routes."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final

import msgspec

from gateway.cli.importing.litellm.deployments import Deployment
from gateway.cli.importing.litellm.ids import made_of
from gateway.cli.importing.litellm.notes import Field
from gateway.registry.routes import MOST, NewRoute, StoredTarget
from gateway.routing.itinerary import TRIES

_STRATEGIES: Final[Mapping[str, tuple[str, str]]] = {
    "simple-shuffle": ("weighted", ""),
    "least-busy": ("least-busy", ""),
    "latency-based-routing": ("latency", ""),
    "cost-based-routing": ("cost", ""),
    "usage-based-routing": (
        "least-busy",
        "Tokens a minute are not counted; the target with the fewest calls is taken.",
    ),
    "usage-based-routing-v2": (
        "least-busy",
        "Tokens a minute are not counted; the target with the fewest calls is taken.",
    ),
}
_FALLBACKS: Final[Mapping[str, str]] = {
    "fallbacks": "",
    "context_window_fallbacks": (
        "Its models come after the others; whatever is too long for a target goes to one that it fits into, at once."
    ),
    "content_policy_fallbacks": "",
}

_MISSING: Final = "One of the model groups it names is not imported, and left out: add it and import again."


class Wishes(msgspec.Struct, kw_only=True):
    """What the settings say of all groups."""

    strategy: str = "weighted"
    fallbacks: dict[str, list[str]] = {}
    """For each group, the groups to go on with."""
    default: list[str] = []
    """Those of every group that has none of its own."""
    aliases: dict[str, str] = {}
    filters_tags: bool = False


def read_wishes(sections: Sequence[Field], sizes: Mapping[str, int]) -> Wishes:
    """What `router_settings` and `litellm_settings` say, in this order: the first wins.

    `sizes` are those of the groups that can be imported.
    """
    wishes = Wishes()
    for section in sections:
        if (strategy := section.get("routing_strategy")) is not None:
            _strategy(strategy, wishes)
        for name in ("model_group_alias", "model_alias_map"):
            if (aliases := section.get(name)) is not None:
                _aliases(aliases, wishes, sizes)
        if (filters := section.get("enable_tag_filtering")) is not None:
            wishes.filters_tags = filters.value is True
            filters.exact("Tags of deployments are conditions of their targets." if filters.value else "It is off.")
        if (default := section.get("default_fallbacks")) is not None:
            wishes.default = wishes.default or _names(default)
            default.approximate("They are the last targets of every route; a failure of any kind leads there.")
        for name, text in _FALLBACKS.items():
            if (field := section.get(name)) is not None:
                _fallbacks(name, field, text, wishes, sizes)
    return wishes


def _strategy(field: Field, wishes: Wishes) -> None:
    name = field.text() or ""
    strategy, loss = _STRATEGIES.get(name, ("", ""))
    if not strategy:
        field.unsupported("There is no such strategy here: routes are `weighted`.")
        return
    wishes.strategy = strategy
    if loss:
        field.approximate(loss)
    else:
        field.exact(f"Routes have the strategy {strategy}.")


def _aliases(field: Field, wishes: Wishes, groups: Collection[str]) -> None:
    for alias, target in field.fields():
        model = target if target.text() else target.get("model")
        name = model.text() if model else None
        if name is None:
            target.unsupported("An alias names one model group.")
            continue
        if name not in groups or alias in groups:
            target.manual(
                _MISSING if name not in groups else "A model group has this name itself: it is the one asked."
            )
            continue
        wishes.aliases.setdefault(alias, name)
        target.exact("The alias is a route to the same targets.")
    field.rest("An alias is NAME: MODEL GROUP.")


def _fallbacks(kind: str, field: Field, text: str, wishes: Wishes, sizes: Mapping[str, int]) -> None:
    if kind == "content_policy_fallbacks":
        field.unsupported("A refusal for its content is the upstream's answer; nobody else is asked.")
        return
    for element in (field, *field.elements()):
        for group, others in element.fields():
            names = _names(others)
            if not names:
                others.unsupported("It names no model group; fallbacks with requests of their own are not known here.")
                continue
            known_here = {*sizes, *wishes.aliases}
            if (group != "*" and group not in known_here) or not known_here.issuperset(names):
                others.manual(_MISSING)
            if group == "*":
                wishes.default = wishes.default or names
            else:
                known = wishes.fallbacks.setdefault(group, [])
                known += [name for name in names if name not in known]
            others.approximate(text or _later(group, sizes))
    field.rest("Fallbacks are a list of MODEL GROUP: [MODEL GROUP, ...].")


def _later(group: str, sizes: Mapping[str, int]) -> str:
    """What is different of fallbacks: never for a mistake of the client's, and within the attempts there are."""
    text = (
        "They are later targets of the route. A failure of the upstream leads there, a mistake of the client's (400) "
        "does not: docs/routing.md, Failover and health."
    )
    size = sizes.get(group, 0)
    if size < TRIES:
        return text
    return (
        f"{text} With {size} models before them and {TRIES} attempts in all, they are reached once some of those are "
        "known to be sick."
    )


def _names(field: Field) -> list[str]:
    one = field.text()
    return [one] if one else [name for element in field.elements() if (name := element.text())]


def make_routes(deployments: Sequence[Deployment], wishes: Wishes) -> list[NewRoute]:
    """The routes; models that stand behind one under their own name are renamed."""
    groups: dict[str, list[Deployment]] = {}
    for one in deployments:
        if one.columns is not None:
            groups.setdefault(one.group, []).append(one)
    _tell_tags(deployments, wishes)
    routes = []
    for group, members in groups.items():
        others = _others(group, groups, wishes)
        if len(members) > 1 or others or _when(members[0], wishes):
            routes.append(_route(group, [members, *others], wishes))
            for number, member in enumerate(members, 1):
                assert member.columns is not None
                member.columns["name"] = f"{group[:94]}#{number}"
    for alias, group in wishes.aliases.items():
        if group in groups and alias not in groups:
            routes.append(_route(alias, [groups[group], *_others(group, groups, wishes)], wishes))
    return routes


def _others(group: str, groups: Mapping[str, list[Deployment]], wishes: Wishes) -> list[list[Deployment]]:
    names = wishes.fallbacks.get(group) or wishes.default
    found = (wishes.aliases.get(name, name) for name in names)
    return [groups[name] for name in dict.fromkeys(found) if name in groups and name != group]


def _route(name: str, steps: Sequence[Sequence[Deployment]], wishes: Wishes) -> NewRoute:
    targets: dict[str, StoredTarget] = {}
    floor = 0
    for step in steps:
        rates = [one.rate for one in step]
        weighs_rates = all(rates) and all(one.weight is None for one in step)
        for one in step:
            weight = (one.rate if weighs_rates else one.weight) or (1.0 if one.weight is None else 0.0)
            when = _when(one, wishes)
            targets.setdefault(one.id, StoredTarget(one.id, weight, min(floor + one.priority, 1000), when))
        floor += max(one.priority for one in step) + 1
    kept = list(targets.values())[:MOST]
    return NewRoute(name=name, targets=kept, strategy=wishes.strategy, id=made_of("route", name))


def _when(one: Deployment, wishes: Wishes) -> tuple[str, ...]:
    """A condition for a single tag: several mean any of them in LiteLLM, and conditions all have to hold."""
    conditional = wishes.filters_tags and len(one.tags) == 1 and one.tags[0] != "default"
    return (f"tag:{one.tags[0]}",) if conditional else ()


def _tell_tags(deployments: Sequence[Deployment], wishes: Wishes) -> None:
    for field, one in _tagged(deployments):
        if not wishes.filters_tags:
            field.unsupported("Tags choose nothing without enable_tag_filtering, and spending is not counted by them.")
        elif _when(one, wishes):
            field.exact("It is a condition of the target.")
        elif one.tags == ("default",):
            field.exact("A target without conditions takes whatever comes.")
        else:
            field.manual("One of several tags is no condition here: give the route a target for each tag.")


def _tagged(deployments: Sequence[Deployment]) -> Iterator[tuple[Field, Deployment]]:
    for one in deployments:
        params = one.field.get("litellm_params")
        field = params.get("tags") if params and one.columns is not None else None
        if field is not None:
            yield field, one
