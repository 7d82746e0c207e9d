"""A plugin in a single file that is switched on and off: an exchange that meets two of its generations is refused."""

import secrets
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from gateway import Exchange, Gateway, GatewayError, Principal, Route, hookimpl
from gateway.protocols import ModelLookup, RequestTransform
from gateway.requests import ChatRequest


class Set:
    """One generation of this plugin."""

    def __init__(self) -> None:
        self.name = f"set-{secrets.token_hex(8)}"
        self.is_open = False


class Lookup:
    """Finds models; the route's name says which generation did."""

    def __init__(self, gateway: Gateway, own: Set) -> None:
        self._gateway, self._own = gateway, own

    async def find(self, name: str, principal: Principal) -> Route | None:
        model = self._gateway.snapshot.model(name)
        return Route(self._own.name, (model,), is_model=True) if model is not None and model.enabled else None


class Check:
    """Refuses what another generation found, and what comes before or after its life."""

    def __init__(self, own: Set) -> None:
        self._own = own

    async def transform(self, request: ChatRequest, exchange: Exchange) -> ChatRequest:
        route = exchange.route
        assert route is not None
        if not self._own.is_open or (route.name.startswith("set-") and route.name != self._own.name):
            raise GatewayError("half a set")
        return request


OWN = Set()


@hookimpl
def register_model_lookups(gateway: Gateway) -> list[ModelLookup]:
    return [Lookup(gateway, OWN)]


@hookimpl
def register_request_transforms() -> list[RequestTransform]:
    return [Check(OWN)]


@hookimpl
def lifespan() -> AbstractAsyncContextManager[None]:
    @asynccontextmanager
    async def life() -> AsyncIterator[None]:
        OWN.is_open = True
        yield
        OWN.is_open = False

    return life()
