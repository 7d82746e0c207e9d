"""The lookup over the registry's snapshot: no database call, no waiting."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gateway import Gateway, Model, ModelLookup, Principal, Route
from gateway.wire.ids import parse_uuid


class RegistryLookup:
    """Finds models by id or by name: the caller's own first, then shared ones."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def find(self, name: str, principal: Principal) -> Route | None:
        """The model of that id or name that the caller may use.

        A name that stands for several of them is not found, and so is a foreign model, in the same words as one that
        does not exist.
        """
        snapshot = self._gateway.snapshot
        model_id = parse_uuid(name)
        if model_id is not None and (model := snapshot.model(model_id)) is not None and principal.may_use(model):
            return Route.of(model)
        named = own_else_shared(snapshot.models_named(name), principal)
        return None if named is None else Route.of(named)


def own_else_shared(models: Sequence[Model], principal: Principal) -> Model | None:
    usable = [model for model in models if principal.may_use(model)]
    candidates = [model for model in usable if model.owner == principal.owner] or usable
    return candidates[0] if len(candidates) == 1 else None


if TYPE_CHECKING:
    _: type[ModelLookup] = RegistryLookup
