"""`GET /v1/models` and `GET /v1/models/{name}`: what the caller may ask for."""

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Literal, TypeAlias

import msgspec
from litestar import Request, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from gateway import protocols
from gateway.domain import Model, Principal
from gateway.errors import ModelNotFound
from gateway.protocols import Snapshot

Require: TypeAlias = Callable[[protocols.Scope, Literal["chat"]], Awaitable[Principal]]


class ListedModel(msgspec.Struct, frozen=True):
    """One model as OpenAI's clients list it."""

    id: str
    """What to ask for: its name, or its id where the name stands for several."""
    owned_by: str
    """The provider."""
    object: str = "model"
    created: int = 0
    context_length: int | None = None


class ModelList(msgspec.Struct, frozen=True):
    """All of them."""

    data: list[ListedModel]
    object: str = "list"


def model_handlers(require: Require, snapshot: Callable[[], Snapshot]) -> list[HTTPRouteHandler]:
    """The two routes; they list the registry, and a model that only a live lookup knows can be asked for unlisted."""

    @get("/v1/models", opt={"scope": "chat"})
    async def list_models(request: Request[Any, Any, Any]) -> ModelList:
        return ModelList(_listed(snapshot(), await require(request.scope, "chat")))

    @get("/v1/models/{name:path}", opt={"scope": "chat"})
    async def show_model(request: Request[Any, Any, Any], name: FromPath[str]) -> ListedModel:
        wanted = name.removeprefix("/")
        principal = await require(request.scope, "chat")
        usable = _usable(snapshot(), principal)
        by_id = next((_shown(model, model.id) for model in usable if model.id == wanted), None)
        found = by_id or next((model for model in _listed(snapshot(), principal) if model.id == wanted), None)
        if found is None:
            raise ModelNotFound(f"The model '{wanted}' does not exist or you do not have access to it.", param="model")
        return found

    return [list_models, show_model]


def _usable(snapshot: Snapshot, principal: Principal) -> list[Model]:
    return [model for model in snapshot.models() if principal.may_use(model)]


def _listed(snapshot: Snapshot, principal: Principal) -> list[ListedModel]:
    """Own models hide shared ones of the same name, as the lookup has it."""
    usable = _usable(snapshot, principal)
    own = _names(usable, principal, own=True)
    shared = _names(usable, principal, own=False)
    listed = []
    for model in sorted(usable, key=lambda model: (model.name, model.id)):
        is_own = model.owner == principal.owner
        alone = own[model.name] == 1 if is_own else shared[model.name] == 1 and not own[model.name]
        listed.append(_shown(model, model.name if alone else model.id))
    return listed


def _names(usable: Sequence[Model], principal: Principal, *, own: bool) -> Counter[str]:
    return Counter(model.name for model in usable if (model.owner == principal.owner) is own)


def _shown(model: Model, id: str) -> ListedModel:
    return ListedModel(id=id, owned_by=model.provider, context_length=model.context_length)
