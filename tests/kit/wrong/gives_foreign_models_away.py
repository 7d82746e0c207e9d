"""Wrong: its lookup makes everybody the owner of what it finds."""

import msgspec

from gateway import Gateway, ModelLookup, Principal, Route, hookimpl


class Generous:
    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def find(self, name: str, principal: Principal) -> Route | None:
        for model in self._gateway.snapshot.models_named(name):
            return Route.of(msgspec.structs.replace(model, owner=principal.owner), name)
        return None


@hookimpl
def register_model_lookups(gateway: Gateway) -> list[ModelLookup]:
    return [Generous(gateway)]
