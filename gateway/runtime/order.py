"""The order inside a stage, and why: the operator's list, then `before` and `after`, then registration."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple

import msgspec

from gateway.runtime.plugins import PluginLoadError


class Wishes(msgspec.Struct, frozen=True):
    """Where a plugin asks to stand in a stage: the `before` and `after` of its objects."""

    before: frozenset[str] = frozenset()
    after: frozenset[str] = frozenset()


class Place(msgspec.Struct, frozen=True):
    """One plugin's place in a stage."""

    plugin: str
    why: str
    """`operator`, `before x`, `after y`, `inside z`, or `registration`."""


class _Edge(NamedTuple):
    """A wish of which both ends are in the stage."""

    first: str
    second: str
    said: str


def arrange(
    stage: str,
    registered: Sequence[str],
    wishes: Mapping[str, Wishes],
    listed: Sequence[str] = (),
    nested: Sequence[str] = (),
) -> tuple[Place, ...]:
    """The stage's plugins in the order to ask.

    `registered` is the order they would have by themselves. Those that the operator listed come first, as listed,
    whatever anybody wishes. `nested` is the order of another stage, which those that stand in both keep here. Raises
    `PluginLoadError` naming a cycle of wishes.
    """
    head = [plugin for plugin in listed if plugin in registered]
    rest = [plugin for plugin in registered if plugin not in head]
    both = [plugin for plugin in nested if plugin in rest]
    edges = [*_edges(rest, wishes), *(_Edge(outer, inner, f"inside {outer}") for outer, inner in pairwise(both))]
    placed = [Place(plugin, "operator") for plugin in head]
    while rest:
        waiting = {edge.second for edge in edges if edge.first in rest}
        plugin = next((plugin for plugin in rest if plugin not in waiting), None)
        if plugin is None:
            raise PluginLoadError(f"{stage}: {_cycle(edges, rest)}")
        rest.remove(plugin)
        placed.append(Place(plugin, _why(plugin, edges)))
    return tuple(placed)


def _edges(plugins: Sequence[str], wishes: Mapping[str, Wishes]) -> list[_Edge]:
    edges = []
    for plugin in plugins:
        wish = wishes.get(plugin, Wishes())
        edges += [_Edge(plugin, other, f"before {other}") for other in sorted(wish.before & set(plugins))]
        edges += [_Edge(other, plugin, f"after {other}") for other in sorted(wish.after & set(plugins))]
    return edges


def _why(plugin: str, edges: Iterable[_Edge]) -> str:
    """What the plugin asked for itself, else that it only stands where it was registered."""
    own = [e.said for e in edges if plugin == (e.first if e.said.startswith("before ") else e.second)]
    return ", ".join(own) or "registration"


def _cycle(edges: Sequence[_Edge], rest: Sequence[str]) -> str:
    """The sentence about one cycle; every plugin in `rest` waits for another one there."""
    waits_for = {edge.second: edge for edge in edges if edge.first in rest}
    plugin, path = rest[0], list[str]()
    while plugin not in path:
        path.append(plugin)
        plugin = waits_for[plugin].first
    ring = path[path.index(plugin) :]
    said = [_said(waits_for[member]) for member in ring]
    names = " -> ".join([*reversed(ring), ring[-1]])
    return f"the order is a cycle: {names} ({', '.join(said)}); an '[order]' list in the settings decides"


def _said(edge: _Edge) -> str:
    if edge.said.startswith("inside "):
        return f"{edge.second} is {edge.said} for requests"
    speaker = edge.first if edge.said.startswith("before ") else edge.second
    return f"{speaker} says {edge.said}"
