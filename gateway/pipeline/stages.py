"""The stages before the router: who calls, what the name stands for, whether they may."""

from gateway.domain import Credentials, Principal, Route, Scope
from gateway.errors import GatewayError, LookupFailed, ModelNotFound, PermissionDenied, PluginError, Unauthenticated
from gateway.protocols import Logger
from gateway.requests import ChatRequest
from gateway.runtime import Generation


async def authenticate(generation: Generation, credentials: Credentials, scope: Scope, log: Logger) -> Principal:
    """The caller; raises `Unauthenticated` when nobody knows it, `PermissionDenied` without the scope.

    An authenticator that fails refuses: `PluginError`, never the next one's turn.
    """
    for authenticator in generation.authenticators:
        try:
            principal = await authenticator.object.authenticate(credentials)
        except GatewayError:
            raise
        except Exception as error:
            log.error("authenticator_failed", plugin=authenticator.plugin, error=type(error).__name__)
            text = f'The plugin "{authenticator.plugin}" failed to authenticate.'
            raise PluginError(text, plugin=authenticator.plugin) from error
        if principal is not None:
            break
    else:
        raise Unauthenticated("Missing or invalid API key.")
    if scope not in principal.scopes:
        raise PermissionDenied(f'This key lacks the scope "{scope}".')
    return principal


async def look_up(generation: Generation, request: ChatRequest, principal: Principal, log: Logger) -> Route:
    """The route asked for, as far as the caller may use it; a forbidden one is as unknown as an unknown one.

    For a malformed id the lookups are asked for their words only: a name must not be found in an id's place.
    """
    words: ModelNotFound | None = None
    for lookup in generation.lookups:
        try:
            route = await lookup.object.find(request.model, principal)
        except ModelNotFound as error:
            words = words or error
            continue
        except LookupFailed:
            raise
        except Exception as error:
            log.error("lookup_failed", plugin=lookup.plugin, error=type(error).__name__)
            raise LookupFailed("Model lookup failed.") from error
        if route is not None and not request.malformed_id:
            targets = tuple(model for model in route.targets if model.enabled and principal.may_use(model))
            if not targets:
                raise ModelNotFound
            return route if len(targets) == len(route.targets) else Route(route.name, targets, route.is_model)
    raise words or ModelNotFound(request.malformed_id)
