"""What every routing strategy has to do: order what it was given, whatever the health of it."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import msgspec

from gateway.domain import Exchange, Model, Principal, Route
from gateway.pipeline.choosing import ask
from gateway.protocols import RoutingStrategy
from gateway.runtime import Generation, Registered
from gateway.secrets import Secret
from gateway.terms import Terms
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
    """What is known of upstreams: these ones failed lately; see `gateway.protocols.HealthView`.

    `busy` and `seconds` are what is under way and how long the first content takes, by the model's id; a model that is
    in neither is idle and not measured.
    """

    def __init__(
        self,
        models: Collection[Model] = (),
        *,
        busy: Mapping[str, int] | None = None,
        seconds: Mapping[str, float] | None = None,
    ) -> None:
        self._ids = {model.id for model in models}
        self._busy = busy or {}
        self._seconds = seconds or {}

    def cooling(self, model: Model) -> bool:
        """Whether the model is one of them."""
        return model.id in self._ids

    def in_flight(self, model: Model) -> int:
        """What was given."""
        return self._busy.get(model.id, 0)

    def latency(self, model: Model) -> float | None:
        """What was given."""
        return self._seconds.get(model.id)


_MEASURED: Final[Mapping[str, Any]] = {"busy": {"m1": 3, "m3": 1}, "seconds": {"m1": 0.2, "m2": 4.0}}
"""Some of them: a strategy meets models that nobody has asked yet beside others."""
_WEIGHTS: Final[Mapping[str, Mapping[str, Terms]]] = {
    "alike": {},
    "uneven": {"m1": Terms(weight=9.0), "m2": Terms(weight=0.5)},
    "some zero": {"m1": Terms(weight=0.0)},
    "all zero": {model.id: Terms(weight=0.0) for model in _TARGETS},
}


class StrategyConformance(Conformance):
    """Gives a strategy routes of every size and health."""

    kind = "strategy"
    stage = "strategies"

    def with_object(self, generation: Generation, made: Any) -> Generation:
        """The strategy under its name."""
        return msgspec.structs.replace(generation, strategies={made.name: Registered[RoutingStrategy]("plugin", made)})

    def ordered(
        self,
        targets: Sequence[Model],
        cooling: Collection[Model] = (),
        *,
        terms: Mapping[str, Terms] | None = None,
        measured: bool = False,
        exchange: Exchange | None = None,
    ) -> Sequence[Model]:
        """What the strategy makes of these; ends the check when it raises or makes no list of models of it."""
        strategy: RoutingStrategy = self.under_test
        route = Route("kit", tuple(targets), strategy.name, terms=terms or {})
        health = Cooling(cooling, **(_MEASURED if measured else {}))
        exchange = exchange or _exchange(Principal("kit"))
        try:
            order: object = ask(strategy, route, chat_request("kit"), health, exchange)
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

    @cases(*_WEIGHTS)
    async def test_finds_a_model_whatever_the_weights(self, weights: str) -> None:
        """Weights are shares: even where all are zero a route whose models are well has somewhere to go."""
        async with self.bench():
            for measured in (False, True):
                order = self.ordered(_TARGETS, terms=_WEIGHTS[weights], measured=measured)
                if not order:
                    fail(f"finds no model where the weights are {weights}, although all are well")
                if not {model.id for model in order} <= {model.id for model in _TARGETS}:
                    fail(f"routes to a model that is none of the route's where the weights are {weights}")

    @cases("nobody", "a caller", "headers")
    async def test_needs_nothing_of_the_exchange(self, known: str) -> None:
        """Who calls may not be known, and no header has to be there."""
        exchange = _exchange(None if known == "nobody" else Principal("kit", "kit-owner"))
        if known == "headers":
            exchange.headers = [(b"x-session", b"\xff"), (b"x-gateway-tags", b"a,b")]
        async with self.bench():
            if not self.ordered(_TARGETS, exchange=exchange):
                fail("finds no model although all are well")

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


def _exchange(principal: Principal | None) -> Exchange:
    made = Exchange("kit", "kit")
    made.principal = principal
    return made
