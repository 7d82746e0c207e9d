"""Right: a strategy that prefers the longest context, and what is well."""

from collections.abc import Sequence

from gateway import ChatRequest, HealthView, Model, Route, RoutingStrategy, hookimpl


class LongestFirst:
    name = "longest-first"

    def order(self, route: Route, request: ChatRequest, health: HealthView) -> Sequence[Model]:
        return sorted(route.targets, key=lambda model: (health.cooling(model), -(model.context_length or 0)))


@hookimpl
def register_strategies() -> list[RoutingStrategy]:
    return [LongestFirst()]
