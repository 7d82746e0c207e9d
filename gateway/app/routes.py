"""Default deny: every route says who may use it, or the application does not start."""

from collections.abc import Iterable, Mapping
from typing import TypeAlias

from litestar import Litestar
from litestar.handlers import BaseRouteHandler
from litestar.routes import ASGIRoute, BaseRoute, HTTPRoute
from litestar.types import AsyncAnyCallable

from gateway.api import AdminGuard
from gateway.api.admin.guard import SCOPE as ADMIN_SCOPE
from gateway.runtime import PluginLoadError

EXCHANGE_SCOPE = "chat"
"""The scope that `gateway.serve` demands of the caller; a route that names it must hand its requests there."""
Handle: TypeAlias = AsyncAnyCallable
"""A raw handler's own function: `await handle(scope, receive, send)`."""


class UnguardedRoute(PluginLoadError):
    """A route neither is public nor names the scope its callers need."""


def check_routes(routes: Iterable[BaseRoute], guard: AdminGuard) -> None:
    """Raise `UnguardedRoute` for the first route that does not say who may use it.

    It says so by `opt={"public": True}`, `opt={"scope": "chat"}` or `opt={"scope": "admin"}`; the last needs the guard
    as well, which `guard_admin_routes` puts there.
    """
    for route in routes:
        for handler in _handlers(route):
            if handler is not None and _is_guarded(handler, guard):
                continue
            name = handler.handler_name if handler is not None else type(route).__name__
            raise UnguardedRoute(
                f"The route {route.path} ({name}) does not say who may use it:"
                f' give it opt={{"public": True}}, opt={{"scope": "{ADMIN_SCOPE}"}},'
                f' or opt={{"scope": "{EXCHANGE_SCOPE}"}} and `gateway.serve`.'
            )


def guard_admin_routes(handlers: Iterable[object], guard: AdminGuard) -> None:
    """Put the guard before every single handler that names the scope `admin`; routers bring their guards themselves."""
    for handler in handlers:
        if isinstance(handler, BaseRouteHandler) and handler.opt.get("scope") == ADMIN_SCOPE:
            handler.guards = (*(handler.guards or ()), guard)


def exchange_paths(routes: Iterable[BaseRoute]) -> frozenset[str]:
    """The paths, without parameters, that serve exchanges and nothing else."""
    return frozenset(
        route.path
        for route in routes
        if "{" not in route.path
        and all(handler is not None and handler.opt.get("scope") == EXCHANGE_SCOPE for handler in _handlers(route))
    )


def overheard(litestar: Litestar) -> bool:
    """Whether something that a plugin added is handed the messages of an exchange's answer."""
    return bool(litestar.before_send) or any(
        handler is not None and handler.opt.get("scope") == EXCHANGE_SCOPE and handler.resolve_middleware()
        for route in litestar.routes
        for handler in _handlers(route)
    )


def direct(litestar: Litestar) -> Mapping[str, Handle]:
    """The handlers, by path, that may be called without a search for their route, because nothing stands before them.

    They say so themselves (`opt={"direct": True}`): they need nothing that Litestar adds to a request's scope. It is
    half as much work again as all that the gateway does before it knows who calls.
    """
    configured = litestar.csrf_config, litestar.compression_config, litestar.allowed_hosts
    wrapped = getattr(litestar.asgi_handler, "app", None) is not litestar.asgi_router
    if wrapped or any(configured) or litestar.before_send or litestar.after_exception:
        return {}
    return {
        route.path: route.route_handler.fn
        for route in litestar.routes
        if isinstance(route, ASGIRoute)
        and route.route_handler.opt.get("direct") is True
        and not (route.route_handler.resolve_middleware() or route.route_handler.resolve_guards())
    }


def _is_guarded(handler: BaseRouteHandler, guard: AdminGuard) -> bool:
    opt = handler.opt
    if opt.get("public") is True or opt.get("scope") == EXCHANGE_SCOPE:
        return True
    return opt.get("scope") == ADMIN_SCOPE and guard in handler.resolve_guards()


def _handlers(route: BaseRoute) -> Iterable[BaseRouteHandler | None]:
    if isinstance(route, HTTPRoute):
        # Litestar itself adds the OPTIONS handlers; they only tell the methods.
        yield from (handler for handler in route.route_handlers if handler.http_methods != {"OPTIONS"})
    elif isinstance(route, ASGIRoute):
        yield route.route_handler
    else:
        yield None
