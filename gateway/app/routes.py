"""Default deny: every route says who may use it, or the application does not start."""

from collections.abc import Iterable, Mapping
from typing import Any

from litestar.routes import ASGIRoute, BaseRoute, HTTPRoute

from gateway.runtime import PluginLoadError

EXCHANGE_SCOPE = "chat"
"""The scope that `gateway.serve` demands of the caller; a route that names it must hand its requests there."""


class UnguardedRoute(PluginLoadError):
    """A route neither is public nor names the scope its callers need."""


def check_routes(routes: Iterable[BaseRoute]) -> None:
    """Raise `UnguardedRoute` for the first route without `opt={"public": True}` or `opt={"scope": "chat"}`."""
    for route in routes:
        for handler, opt in _handlers(route):
            if opt.get("public") is not True and opt.get("scope") != EXCHANGE_SCOPE:
                raise UnguardedRoute(
                    f"The route {route.path} ({handler}) does not say who may use it:"
                    f' give it opt={{"public": True}}, or opt={{"scope": "{EXCHANGE_SCOPE}"}} and `gateway.serve`.'
                )


def _handlers(route: BaseRoute) -> Iterable[tuple[str, Mapping[str, Any]]]:
    if isinstance(route, HTTPRoute):
        for handler in route.route_handlers:
            # Litestar itself adds the OPTIONS handlers; they only tell the methods.
            if handler.http_methods != {"OPTIONS"}:
                yield handler.handler_name, handler.opt
    elif isinstance(route, ASGIRoute):
        yield route.route_handler.handler_name, route.route_handler.opt
    else:
        yield type(route).__name__, {}
