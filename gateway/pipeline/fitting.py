"""Which models of a route can be asked a request that not every provider understands."""

from typing import Final

import msgspec

from gateway.domain import Model, Route
from gateway.errors import GatewayError, InvalidRequest, NotServed
from gateway.requests import ChatRequest
from gateway.runtime import Generation

UNFIT: Final = "its provider does not speak the dialect of the request"
"""Why it is not tried."""


def fitting(generation: Generation, route: Route, request: ChatRequest) -> Route:
    """The route without the models that cannot be asked; raises `NotServed`, `InvalidRequest` when none is left.

    Any provider is asked a chat, translated if need be; what is no chat, or has fields that bind it to its dialect,
    only those that say they speak it.
    """
    if request.is_chat and not request.bound:
        return route
    targets = tuple(model for model in route.targets if _speaks(generation, model, request.dialect))
    if not targets:
        raise _refusal(route.targets[0], request)
    return route if len(targets) == len(route.targets) else msgspec.structs.replace(route, targets=targets)


def _speaks(generation: Generation, model: Model, dialect: str) -> bool:
    registered = generation.providers.get(model.provider)
    # Without its provider the model is not misunderstood but out of order, which the attempt tells.
    if registered is None:
        return True
    known = getattr(registered.object, "speaks_for", None)
    return dialect in (known(model) if known is not None else getattr(registered.object, "speaks", ()))


def _refusal(model: Model, request: ChatRequest) -> GatewayError:
    provider = f'The provider "{model.provider}" of this model'
    if not request.is_chat:
        return NotServed(f"{provider} does not answer requests to /v1{request.path}.")
    name = request.bound[0]
    try:
        request.prompt  # noqa: B018 - read to hear what of the field it is, where a value of another kind would do
    except GatewayError as error:
        if error.param == name:
            return InvalidRequest(f"{provider} cannot honour '{name}' as it is. {error.message}", param=name)
    return InvalidRequest(f"{provider} cannot honour '{name}'; leave it out, or ask another model.", param=name)
