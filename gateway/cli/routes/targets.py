"""What people write about targets, and what is shown of them."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import click

from gateway.cli.endings import Failed, Wrong

if TYPE_CHECKING:
    from gateway.registry import Database, StoredModel, StoredRoute, StoredTarget
    from gateway.settings import Settings
    from gateway.terms import Hedge

_TERMS = "weight, priority, when"


def read_target(text: str) -> "StoredTarget":
    """`MODEL[,weight=W][,priority=P][,when=CONDITION]...`; the model is still as it was written."""
    from gateway.registry import StoredTarget

    model, *terms = (part.strip() for part in text.split(","))
    if not model:
        raise Wrong(f"--target {text!r} names no model: write it like gpt,weight=9.")
    weight, priority, when = 1.0, 0, list[str]()
    for term in terms:
        name, _, value = term.partition("=")
        try:
            if name == "weight":
                weight = float(value)
            elif name == "priority":
                priority = int(value)
            elif name == "when":
                when.append(value)
            else:
                raise Wrong(f"--target {model}: there is no term {name[:50]!r}, only {_TERMS}.")
        except ValueError as error:
            raise Wrong(f"--target {model}: the {name} {value[:50]!r} is no number.") from error
    target = StoredTarget(model, weight, priority, tuple(when))
    try:
        target.terms()
    except ValueError as error:
        raise Wrong(f"--target {model}: {error}.") from error
    return target


def read_hedge(text: str) -> "Hedge | None":
    """`PERCENTILE[,budget=SHARE]`, or `off`."""
    from gateway.terms import Hedge

    if text == "off":
        return None
    percentile, comma, rest = text.partition(",")
    name, _, share = rest.partition("=")
    if comma and name.strip() != "budget":
        raise Wrong(f"--hedge takes PERCENTILE[,budget=SHARE] or off, not {text[:50]!r}.")
    try:
        hedge = Hedge(float(percentile), *([float(share)] if comma else []))
    except ValueError as error:
        raise Wrong(f"--hedge {text[:50]!r} is no number: write it like 95,budget=0.05, or off.") from error
    try:
        return hedge.checked()
    except ValueError as error:
        raise Wrong(f"--hedge: {error}.") from error


async def resolve(database: "Database", targets: "Sequence[StoredTarget]") -> "list[StoredTarget]":
    """The targets with the ids of their models; refuses names that nobody has, with the nearest one there is."""
    import msgspec

    from gateway.registry import ModelStore, NotFound
    from gateway.settings import nearest

    store = ModelStore(database)
    found = []
    for target in targets:
        try:
            model = await store.find(target.model)
        except NotFound as error:
            near = nearest(target.model, [model.name for model in await store.all()])
            raise Failed(f"{error}{f' Did you mean {near!r}?' if near else ''}") from error
        found.append(msgspec.structs.replace(target, model=model.id))
    return found


def known_strategy(settings: "Settings", name: str) -> str:
    """The name, if an enabled plugin has a strategy of that name; refused with the nearest one there is."""
    from gateway.cli.plugins.dry import dry_run
    from gateway.settings import nearest

    if name == "ordered":
        return name
    generation = dry_run(settings).generation
    if generation is None:
        click.echo(
            "Warning: The plugins do not load, so the strategy was not looked up: see `gateway doctor`.", err=True
        )
        return name
    known = ["ordered", *generation.strategies]
    if name in known:
        return name
    near = nearest(name, known)
    hint = f" Did you mean {near!r}?" if near else ""
    raise Wrong(f"No enabled plugin provides the strategy {name[:50]!r}, there are {', '.join(sorted(known))}.{hint}")


def unusable(route: "StoredRoute", models: "Mapping[str, StoredModel]") -> list[str]:
    """A warning for each target that callers of the route will go without."""
    warnings = []
    for target in route.targets:
        model = models.get(target.model)
        if model is None:
            continue
        if not model.enabled:
            warnings.append(f"The model {model.name} is disabled: the route goes without it.")
        elif model.sharing == "private" and model.owner != route.owner:
            warnings.append(f"The model {model.name} is private to another owner: who else asks goes without it.")
        elif model.sharing == "private" and route.sharing != "private":
            warnings.append(f"The model {model.name} is private: callers of other owners go without it.")
    return warnings


def told(target: "StoredTarget", models: "Mapping[str, StoredModel]") -> str:
    """A target as it could be written again, by the model's name."""
    model = models.get(target.model)
    return written(target, model.name if model else f"{target.model} (gone)")


def written(target: "StoredTarget", model: str) -> str:
    """A target as it is written, by what its model is called."""
    parts = [model]
    if target.weight != 1:
        parts.append(f"weight={target.weight:g}")
    if target.priority:
        parts.append(f"priority={target.priority}")
    return ",".join([*parts, *(f"when={condition}" for condition in target.when)])
