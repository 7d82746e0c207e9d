"""Wrong: its strategy finds no model when none is well."""

from collections.abc import Sequence

from gateway import ChatRequest, HealthView, Model, Route, RoutingStrategy, hookimpl


class Best:
    name = "best"

    def order(self, route: Route, request: ChatRequest, health: HealthView) -> Sequence[Model]:
        return [next(model for model in route.targets if not health.cooling(model))]


@hookimpl
def register_strategies() -> list[RoutingStrategy]:
    return [Best()]
