"""The strategy `latency`: who has been the fastest to begin an answer lately."""

import math
from collections.abc import Callable, Sequence
from random import random
from typing import TYPE_CHECKING, Final

from gateway import ChatRequest, HealthView, Model, Route, RoutingStrategy
from gateway_routing.weighted import draw

AS_FAST: Final = 1.2
"""Who takes no longer than this times the fastest is as good as it: else one target would get everything."""


class Latency:
    """Orders by the moving average of the time to the first content.

    Those nearly as fast as the fastest share the requests by weight. Whoever is not known, or not any more, is asked by
    one request at a time, which finds out.
    """

    name = "latency"

    def __init__(self, chance: Callable[[], float] = random) -> None:
        self._chance = chance

    def order(self, route: Route, request: ChatRequest, health: HealthView) -> Sequence[Model]:
        """The fastest first."""
        known = {model.id: health.latency(model) for model in route.targets}
        fastest = min((seconds for seconds in known.values() if seconds is not None), default=0.0)

        def place(model: Model) -> tuple[bool, float, float]:
            seconds, weight = known[model.id], route.terms_of(model).weight
            if weight <= 0:
                seconds = math.inf
            elif seconds is None:
                seconds = math.inf if health.in_flight(model) else 0.0
            elif seconds <= fastest * AS_FAST:
                seconds = fastest
            return health.cooling(model), seconds, draw(weight, self._chance)

        return sorted(route.targets, key=place)


if TYPE_CHECKING:
    _: type[RoutingStrategy] = Latency
