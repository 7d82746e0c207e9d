"""What every routing strategy has to do: order what it was given, whatever the health of it."""

import asyncio
from collections.abc import Collection, Sequence
from typing import Any, Final

import msgspec

from gateway.domain import Model, Route
from gateway.protocols import RoutingStrategy
from gateway.runtime import Generation, Registered
from gateway.secrets import Secret
from gateway.testing.asked import chat_request
from gateway.testing.canned import CHAT
from gateway.testing.conformance.suite import Conformance, cases, check, fail

_TARGETS: Final = tuple(
    Model(
        id=f"m{number}",
        name=f"m{number}",
        model_id="m",
        base_url=f"http://127.0.0.1:{number}/v1",
        api_key=Secret(f"sk-{number}"),
        context_length=length,
    )
    for number, length in enumerate((4096, 128_000, None), start=1)
)


class Cooling:
    """What is known of upstreams: these ones failed lately; see `gateway.protocols.HealthView`."""

    def __init__(self, models: Collection[Model] = ()) -> None:
        self._ids = {model.id for model in models}

    def cooling(self, model: Model) -> bool:
        """Whether the model is one of them."""
        return model.id in self._ids

    def in_flight(self, model: Model) -> int:
        """None runs."""
        return 0

    def latency(self, model: Model) -> float | None:
        """Nothing is known."""
        return None


class StrategyConformance(Conformance):
    """Gives a strategy routes of every size and health."""

    kind = "strategy"
    stage = "strategies"

    def with_object(self, generation: Generation, made: Any) -> Generation:
        """The strategy under its name."""
        return msgspec.structs.replace(generation, strategies={made.name: Registered[RoutingStrategy]("plugin", made)})

    def ordered(self, targets: Sequence[Model], cooling: Collection[Model] = ()) -> Sequence[Model]:
        """What the strategy makes of these; ends the check when it raises or makes no list of models of it."""
        strategy: RoutingStrategy = self.under_test
        route = Route("kit", tuple(targets), strategy.name)
        try:
            order: object = strategy.order(route, chat_request("kit"), Cooling(cooling))
        except Exception as error:  # noqa: BLE001 - this is what the check is about
            fail(f"raises {type(error).__name__} for {len(targets)} models, {len(cooling)} of them cooling: {error}")
        if asyncio.iscoroutine(order):
            order.close()
            fail("`order` is async: it is asked for every exchange and must answer at once")
        if not isinstance(order, Sequence) or not all(isinstance(model, Model) for model in order):
            fail(f"`order` returned {type(order).__name__}, not a sequence of models")
        return order

    @cases("none", "first", "all")
    async def test_orders_only_what_it_was_given(self, cooling: str) -> None:
        """A subset of the route's models, each once at most."""
        unwell = {"none": (), "first": _TARGETS[:1], "all": _TARGETS}[cooling]
        async with self.bench():
            for count in (1, 2, 3):
                order = self.ordered(_TARGETS[:count], [model for model in unwell if model in _TARGETS[:count]])
                ids = [model.id for model in order]
                if foreign := sorted(set(ids) - {model.id for model in _TARGETS[:count]}):
                    fail(f"routes to '{foreign[0]}', which is no model of the route: the caller may not use it")
                if len(ids) != len(set(ids)):
                    fail("names a model twice: retries are the router's business")

    @check
    async def test_answers_with_a_model_when_all_is_well(self) -> None:
        """A route whose models are well has somewhere to go."""
        async with self.bench():
            if not self.ordered(_TARGETS):
                fail("finds no model although all are well")

    @check
    async def test_leaves_the_route_as_it_is(self) -> None:
        """Routes are shared by all exchanges."""
        async with self.bench():
            targets = tuple(msgspec.structs.replace(model) for model in _TARGETS)
            self.ordered(targets)
        if targets != _TARGETS:
            fail("mutates the route's models; return another order instead")

    @check
    async def test_the_pipeline_routes_by_it(self) -> None:
        """A route that names it is served."""
        async with self.bench() as bench:
            models = [bench.model(name, CHAT["text"].behaviour()) for name in ("one", "two")]
            bench.route("routed", *models, strategy=self.under_test.name)
            asked = await bench.ask("routed")
        if asked.problem:
            fail(f"a route with the strategy '{self.under_test.name}' is not served: {asked.problem}")
