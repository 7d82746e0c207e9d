"""The strategy `cost`: who is the cheapest for this request."""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from gateway import ChatRequest, HealthView, Model, Route, RoutingStrategy
from gateway.size import Size

ANSWER: Final = 500
"""Tokens that an answer is taken for where neither the request nor the model bounds it."""


class Cost:
    """Orders by the estimated price of request and answer; a price that is not known comes last, never first."""

    name = "cost"

    def order(self, route: Route, request: ChatRequest, health: HealthView) -> Sequence[Model]:
        """The cheapest first; equals as they were written."""
        size = Size(request)

        def place(model: Model) -> tuple[bool, float]:
            return health.cooling(model), _dollars(model, size)

        return sorted(route.targets, key=place)


def _dollars(model: Model, size: Size) -> float:
    prices = model.prices
    if prices.input is None or prices.output is None:
        return math.inf
    return size.tokens * prices.input + (size.output(model) or ANSWER) * prices.output


if TYPE_CHECKING:
    _: type[RoutingStrategy] = Cost
