"""Who may use the control plane."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias, cast

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from gateway import protocols
from gateway.domain import Principal, Scope

SCOPE: Scope = "admin"

AdminGuard: TypeAlias = Callable[[ASGIConnection[Any, Any, Any, Any], BaseRouteHandler], Awaitable[None]]


def admin_guard(require: Callable[[protocols.Scope, Scope], Awaitable[Principal]]) -> AdminGuard:
    """A Litestar guard that lets a request pass whose key has the scope `admin`; `require` raises for any other."""

    # A function and no object: Litestar copies deeply what it keeps of a router.
    async def guard(connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler) -> None:
        await require(cast("protocols.Scope", connection.scope), SCOPE)

    return guard
