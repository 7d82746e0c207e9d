"""`GET /v1/models` and `GET /v1/models/{name}`: what the caller may ask for."""

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, Literal, TypeAlias

import msgspec
from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from gateway import protocols
from gateway.api.refusal import own_headers
from gateway.domain import Model, Principal, Route
from gateway.errors import LookupFailed, ModelNotFound
from gateway.protocols import Snapshot

Require: TypeAlias = Callable[[protocols.Scope, Literal["chat"]], Awaitable[Principal]]
_ANTHROPIC: Final = "anthropic-version"
"""A header that only Anthropic's clients send."""


class ListedModel(msgspec.Struct, frozen=True):
    """One model or route as OpenAI's clients list it."""

    id: str
    """What to ask for: its name, or its id where the name stands for several."""
    owned_by: str
    """The provider; of a route `gateway`."""
    object: str = "model"
    created: int = 0
    context_length: int | None = None


class AnthropicModel(msgspec.Struct, frozen=True):
    """One of them as Anthropic's clients list it."""

    id: str
    display_name: str
    type: str = "model"
    created_at: str = "1970-01-01T00:00:00Z"
    """Nobody said when, which is how Anthropic says that."""


class AnthropicList(msgspec.Struct, frozen=True):
    """All of them, on one page."""

    data: list[AnthropicModel]
    first_id: str | None
    last_id: str | None
    has_more: bool = False


class ModelList(msgspec.Struct, frozen=True):
    """All of them."""

    data: list[ListedModel]
    object: str = "list"


def model_handlers(require: Require, snapshot: Callable[[], Snapshot]) -> list[HTTPRouteHandler]:
    """The two routes; they list the registry, and a model that only a live lookup knows can be asked for unlisted."""

    @get("/v1/models", opt={"scope": "chat"})
    async def list_models(request: Request[Any, Any, Any]) -> Response[ModelList | AnthropicList]:
        listed = _listed(snapshot(), await require(request.scope, "chat"))
        if _ANTHROPIC not in request.headers:
            return Response(ModelList(listed), headers=own_headers(request.scope))
        ids = [model.id for model in listed]
        page = AnthropicList([_as_anthropic(m) for m in listed], *(ids[0], ids[-1]) if ids else (None, None))
        return Response(page, headers=own_headers(request.scope))

    @get("/v1/models/{name:path}", opt={"scope": "chat"})
    async def show_model(
        request: Request[Any, Any, Any], name: FromPath[str]
    ) -> Response[ListedModel | AnthropicModel]:
        wanted = name.removeprefix("/")
        principal = await require(request.scope, "chat")
        usable = _usable(snapshot(), principal)
        by_id = next((_shown(one, one.id, principal) for one in usable if one.id == wanted), None)
        found = by_id or next((model for model in _listed(snapshot(), principal) if model.id == wanted), None)
        if found is None and not snapshot().is_current:
            raise LookupFailed("The registry's database is away: try again later.", status=503, retry_after=5)
        if found is None:
            raise ModelNotFound(f"The model '{wanted}' does not exist or you do not have access to it.", param="model")
        return Response(
            _as_anthropic(found) if _ANTHROPIC in request.headers else found, headers=own_headers(request.scope)
        )

    return [list_models, show_model]


def _as_anthropic(model: ListedModel) -> AnthropicModel:
    return AnthropicModel(id=model.id, display_name=model.id)


def _usable(snapshot: Snapshot, principal: Principal) -> list[Model | Route]:
    models = [model for model in snapshot.models() if principal.may_use(model)]
    routes = [route for route in snapshot.routes() if principal.may_use(route) and _targets(route, principal)]
    return [*models, *routes]


def _targets(route: Route, principal: Principal) -> list[Model]:
    """Those that the caller may use as well."""
    return [model for model in route.targets if model.enabled and principal.may_use(model)]


def _listed(snapshot: Snapshot, principal: Principal) -> list[ListedModel]:
    """Own ones hide shared ones of the same name, as the lookup has it."""
    usable = _usable(snapshot, principal)
    own = _names(usable, principal, own=True)
    shared = _names(usable, principal, own=False)
    listed = []
    for one in sorted(usable, key=lambda one: (one.name, one.id)):
        is_own = one.owner == principal.owner
        alone = own[one.name] == 1 if is_own else shared[one.name] == 1 and not own[one.name]
        listed.append(_shown(one, one.name if alone else one.id, principal))
    return listed


def _names(usable: Sequence[Model | Route], principal: Principal, *, own: bool) -> Counter[str]:
    return Counter(one.name for one in usable if (one.owner == principal.owner) is own)


def _shown(one: Model | Route, id: str, principal: Principal) -> ListedModel:
    if isinstance(one, Model):
        return ListedModel(id=id, owned_by=one.provider, context_length=one.context_length)
    lengths = [model.context_length for model in _targets(one, principal)]
    known = [length for length in lengths if length is not None]
    return ListedModel(id=id, owned_by="gateway", context_length=max(known) if len(known) == len(lengths) else None)
