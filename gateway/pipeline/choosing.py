"""Which models an exchange tries, in which order: the route's terms first, then its strategy, group by group."""

import inspect
from collections.abc import Mapping, Sequence
from functools import lru_cache
from math import ceil
from typing import NamedTuple

import msgspec

from gateway.domain import Exchange, Model, Route
from gateway.errors import ModelNotFound, Overloaded, PluginError, UpstreamError
from gateway.pipeline.calls import Calls
from gateway.pipeline.fitting import UNFIT, fitting
from gateway.protocols import HealthView, RoutingStrategy
from gateway.requests import ChatRequest
from gateway.routing import Health, Selection, select
from gateway.runtime import Generation, Registered


class Choice(NamedTuple):
    """Whom to try."""

    order: Sequence[Model]
    """First to last, never empty."""
    excluded: Mapping[str, str]
    """Why others are not tried, by the model's id, where it was not the strategy's choice."""


def choose(generation: Generation, health: Health, calls: Calls, exchange: Exchange, request: ChatRequest) -> Choice:
    """The models to try; raises when there are none, and `PluginError` when the strategy cannot say."""
    route = exchange.route
    assert route is not None
    strategy = _strategy(generation, route)
    fit = fitting(generation, route, request)
    if route.is_model and fit is route and strategy is None and health.free(route.targets) is route.targets:
        return Choice(route.targets, {})  # as for most requests: there is one, and nobody has to wait for it
    selection = select(fit, request, exchange)
    if not selection.groups:
        raise ModelNotFound(f'No model of "{route.name}" takes a request like this one.', param="model")
    order = _ordered(strategy, health, calls, exchange, request, selection)
    if not order:
        raise Overloaded("No model of this route can serve the request now.")
    free, excluded = health.free(order), selection.excluded
    if free is not order:
        waiting = held(health, order)
        if not free:
            raise _at_its_limit(min(waiting.values()))
        excluded = {**excluded, **{id: waits(seconds) for id, seconds in waiting.items()}}
    if fit is not route:
        excluded = {**excluded, **{model.id: UNFIT for model in route.targets if model not in fit.targets}}
    return Choice(free, excluded)


def held(health: Health, models: Sequence[Model]) -> Mapping[str, float]:
    """Whose own `Retry-After` runs, by the model's id, and for how many seconds: it binds whoever has not begun."""
    return {model.id: seconds for model in models if (seconds := health.held(model))}


def waits(seconds: float) -> str:
    """Why such a model is left out."""
    return f"its upstream said Retry-After: {seconds:.1f} s are left"


def _at_its_limit(seconds: float) -> UpstreamError:
    body = b'{"error":{"message":"Rate limit reached upstream; retry after %d s."}}' % ceil(seconds)
    return UpstreamError(429, body, retry_after=seconds, retryable=False)


def _strategy(generation: Generation, route: Route) -> Registered[RoutingStrategy] | None:
    strategy = generation.strategies.get(route.strategy)
    if strategy is None and route.strategy != "ordered":
        text = f'No enabled plugin provides the strategy "{route.strategy}".'
        raise PluginError(text, plugin=route.strategy)
    return strategy


def _ordered(
    strategy: Registered[RoutingStrategy] | None,
    health: Health,
    calls: Calls,
    exchange: Exchange,
    request: ChatRequest,
    selection: Selection,
) -> Sequence[Model]:
    route = exchange.route
    assert route is not None
    if strategy is None:
        return health.order([model for group in selection.groups for model in group])
    order: list[Model] = []
    for group in selection.groups:
        part = route if group == route.targets else msgspec.structs.replace(route, targets=group)
        try:
            order += [model for model in ask(strategy.object, part, request, health, exchange) if model in group]
        except Exception as error:  # noqa: BLE001 - a named border
            calls.refuse(strategy.plugin, "strategies", error)
    # Whatever the strategy says: what is well comes first, also when that is a lower group.
    return health.order(order)


def ask(
    strategy: RoutingStrategy, route: Route, request: ChatRequest, health: HealthView, exchange: Exchange
) -> Sequence[Model]:
    """What the strategy says, shown the exchange if it wants to see it."""
    more = {"exchange": exchange} if _takes_exchange(type(strategy)) else {}
    return strategy.order(route, request, health, **more)


@lru_cache(maxsize=256)
def _takes_exchange(kind: type[RoutingStrategy]) -> bool:
    """Whether its `order` wants to see the exchange: added in 0.1 for those that ask, as hooks' arguments are."""
    return "exchange" in inspect.signature(kind.order).parameters
