"""The strategy `weighted`: each target gets its share of the requests; a canary is a target of little weight."""

import math
from collections.abc import Callable, Sequence
from random import random
from typing import TYPE_CHECKING

from gateway import ChatRequest, HealthView, Model, Route, RoutingStrategy


class Weighted:
    """Draws an order in which every target comes first as often as its weight says.

    Who cools down goes to the end, so its share falls to the others in their proportion.
    """

    name = "weighted"

    def __init__(self, chance: Callable[[], float] = random) -> None:
        self._chance = chance

    def order(self, route: Route, request: ChatRequest, health: HealthView) -> Sequence[Model]:
        """A fresh draw for each request."""
        drawn = {model.id: draw(route.terms_of(model).weight, self._chance) for model in route.targets}
        return sorted(route.targets, key=lambda model: (health.cooling(model), drawn[model.id]))


def draw(weight: float, chance: Callable[[], float]) -> float:
    """A lot: sorted by it, targets come first in proportion to their weights (Efraimidis, Spirakis); 0 comes last."""
    return math.inf if weight <= 0 else -math.log(1 - chance()) / weight


if TYPE_CHECKING:
    _: type[RoutingStrategy] = Weighted
