"""The strategy `least-busy`: who has the fewest requests under way for its weight."""

import math
from collections.abc import Callable, Sequence
from random import random
from typing import TYPE_CHECKING

from gateway import ChatRequest, HealthView, Model, Route, RoutingStrategy
from gateway_routing.weighted import draw


class LeastBusy:
    """Orders by attempts in flight in this process, divided by the weight; among equals it draws by weight."""

    name = "least-busy"

    def __init__(self, chance: Callable[[], float] = random) -> None:
        self._chance = chance

    def order(self, route: Route, request: ChatRequest, health: HealthView) -> Sequence[Model]:
        """The idlest first."""

        def place(model: Model) -> tuple[bool, float, float]:
            weight = route.terms_of(model).weight
            busy = health.in_flight(model) / weight if weight > 0 else math.inf
            return health.cooling(model), busy, draw(weight, self._chance)

        return sorted(route.targets, key=place)


if TYPE_CHECKING:
    _: type[RoutingStrategy] = LeastBusy
