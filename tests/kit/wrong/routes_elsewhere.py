"""Wrong: its strategy prefers a model of its own to those of the route."""

from collections.abc import Sequence

from gateway import ChatRequest, HealthView, Model, Route, RoutingStrategy, hookimpl

FAVOURITE = Model(id="favourite", name="favourite", model_id="m", base_url="https://example.com/v1")


class Partial:
    name = "partial"

    def order(self, route: Route, request: ChatRequest, health: HealthView) -> Sequence[Model]:
        return [FAVOURITE, *route.targets]


@hookimpl
def register_strategies() -> list[RoutingStrategy]:
    return [Partial()]
