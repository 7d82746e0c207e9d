"""The lookup over the registry's snapshot: no database call, no waiting."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from gateway import Gateway, LookupFailed, Model, ModelLookup, Principal, Route
from gateway.wire.ids import parse_uuid


class RegistryLookup:
    """Finds models and routes by id or by name: the caller's own first, then shared ones."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def find(self, name: str, principal: Principal) -> Route | None:
        """The model or route of that id or name that the caller may use.

        A name that stands for several of them is not found, and so is a foreign one, in the same words as one that
        does not exist. While the database is away nobody can say that a name does not exist: `LookupFailed`.
        """
        snapshot = self._gateway.snapshot
        found = parse_uuid(name)
        if found is not None:
            one = snapshot.model(found) or snapshot.route(found)
            if one is not None and principal.may_use(one):
                return _as_route(one)
        named = own_else_shared((*snapshot.models_named(name), *snapshot.routes_named(name)), principal)
        if named is not None:
            return _as_route(named)
        if not snapshot.is_current:
            raise LookupFailed("The registry's database is away: try again later.", status=503, retry_after=5)
        return None


def own_else_shared(named: Sequence[Model | Route], principal: Principal) -> Model | Route | None:
    usable = [one for one in named if principal.may_use(one)]
    candidates = [one for one in usable if one.owner == principal.owner] or usable
    return candidates[0] if len(candidates) == 1 else None


def _as_route(one: Model | Route) -> Route:
    return one if isinstance(one, Route) else Route.of(one)


if TYPE_CHECKING:
    _: type[ModelLookup] = RegistryLookup
