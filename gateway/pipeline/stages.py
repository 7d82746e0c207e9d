"""The stages before the router: who calls, what the name stands for, whether they may, what is sent."""

import msgspec

from gateway.domain import Credentials, Exchange, Principal, Route, Scope
from gateway.errors import GatewayError, InvalidRequest, LookupFailed, ModelNotFound, PermissionDenied, Unauthenticated
from gateway.pipeline.calls import Calls, skips
from gateway.pipeline.names import AnswerNames, AnswerNotFound, continued
from gateway.protocols import ClientDialect
from gateway.requests import ChatRequest, NotChat
from gateway.runtime import Generation


async def authenticate(
    generation: Generation,
    credentials: Credentials,
    scope: Scope,
    calls: Calls,
    timings: dict[str, float] | None = None,
) -> Principal:
    """The caller; raises `Unauthenticated` when nobody knows it, `PermissionDenied` without the scope.

    An authenticator that fails or hangs refuses: `PluginError`, never the next one's turn.
    """
    for authenticator in generation.authenticators:
        try:
            asked = authenticator.object.authenticate(credentials)
            principal = await calls.within(asked, timings, f"authenticators.{authenticator.plugin}")
        except GatewayError:
            raise
        except Exception as error:  # noqa: BLE001 - a named border
            calls.refuse(authenticator.plugin, "authenticators", error)
        if principal is not None:
            break
    else:
        raise Unauthenticated("Missing or invalid API key.")
    if scope not in principal.scopes:
        raise PermissionDenied(f'This key lacks the scope "{scope}".')
    return principal


async def look_up(generation: Generation, exchange: Exchange, calls: Calls) -> Route:
    """The route asked for, as far as the caller may use it; a forbidden one is as unknown as an unknown one.

    For a malformed id the lookups are asked for their words only: a name must not be found in an id's place.
    """
    request, principal = exchange.request, exchange.principal
    assert request is not None
    assert principal is not None
    words: ModelNotFound | None = None
    for lookup in generation.lookups:
        try:
            asked = lookup.object.find(request.model, principal)
            route = await calls.within(asked, exchange.timings, f"model_lookups.{lookup.plugin}")
        except ModelNotFound as error:
            words = words or error
            continue
        except LookupFailed:
            raise
        except Exception as error:
            calls.fault(lookup.plugin, "model_lookups", error)
            status = 504 if isinstance(error, TimeoutError) else None
            raise LookupFailed("Model lookup failed.", status=status) from error
        if route is not None and not request.malformed_id:
            targets = tuple(model for model in route.targets if model.enabled and principal.may_use(model))
            if not targets:
                continue
            return route if len(targets) == len(route.targets) else msgspec.structs.replace(route, targets=targets)
    raise words or ModelNotFound(request.malformed_id)


async def transform(generation: Generation, exchange: Exchange, calls: Calls) -> ChatRequest:
    """The request as the request transforms leave it."""
    assert exchange.request is not None
    request = exchange.request
    for changer in generation.request_transforms:
        if skips(changer.object) and calls.faults.quarantined(changer.plugin, "request_transforms"):
            continue
        try:
            asked = changer.object.transform(request, exchange)
            changed = await calls.within(asked, exchange.timings, f"request_transforms.{changer.plugin}")
            if not isinstance(changed, ChatRequest):
                raise TypeError(f"transform returned {type(changed).__name__}")
        except NotChat as error:
            # It changes prompts, and there is none; one that guards must not be passed by.
            if getattr(changer.object, "guard", False):
                text = f'The plugin "{changer.plugin}" guards requests, and cannot look into one that is no chat.'
                raise InvalidRequest(text) from error
        except Exception as error:  # noqa: BLE001 - a named border
            calls.judge(changer, "request_transforms", error)
        else:
            calls.faults.worked(changer.plugin, "request_transforms")
            request = changed
    return request


def go_on(exchange: Exchange, dialect: ClientDialect, names: AnswerNames) -> None:
    """A request that goes on from an earlier answer is the model's that made it; raises `AnswerNotFound`."""
    request, route, principal = exchange.request, exchange.route, exchange.principal
    assert request is not None
    assert route is not None
    assert principal is not None
    exchange.request, kept = continued(names, dialect, request, principal)
    if kept is None:
        return
    targets = tuple(model for model in route.targets if model.id == kept.model)
    if not targets:
        raise AnswerNotFound(
            f'The response was made by a model that "{route.name}" does not stand for.', param="previous_response_id"
        )
    exchange.route = msgspec.structs.replace(route, targets=targets)
