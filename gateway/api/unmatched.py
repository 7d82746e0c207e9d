"""404, 405, 500 and 503 for what nobody serves, or can serve now: the framework's own bodies never show."""

import logging
from collections.abc import Mapping
from math import ceil
from typing import Any

from litestar import Litestar, Request, Response
from litestar.exceptions import HTTPException
from litestar.routes import ASGIRoute, HTTPRoute
from litestar.types import ExceptionHandlersMap, Scope

from gateway.api.refusal import Refusal, own_headers, refusal
from gateway.errors import GatewayError, Overloaded
from gateway.registry import DatabaseUnavailable
from gateway.wire.envelope import error_answer
from gateway.wire.messages import error_envelope

_log = logging.getLogger("gateway.api")
_RETRY_SECONDS = 5.0
_MESSAGES = {404: "Nothing is served at {path}.", 405: "{method} is not allowed at {path}."}


def exception_handlers() -> ExceptionHandlersMap:
    """Handlers for everything a route, or the search for one, can raise."""
    handlers: ExceptionHandlersMap = {
        HTTPException: _answer_http,
        GatewayError: _answer_gateway,
        DatabaseUnavailable: _answer_away,
        Exception: _answer_unexpected,
    }
    return handlers


def _answer_http(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    status, path = error.status_code, request.scope["path"]
    if status >= 500:
        return _answer_unexpected(request, error)
    message = _MESSAGES.get(status, error.detail).format(method=request.scope["method"], path=path)
    headers = dict(error.headers or {})
    if status == 405:
        headers["allow"] = ", ".join(allowed_methods(request.scope["litestar_app"], request.scope))
    return _respond(request.scope, status, message, headers)


def _answer_gateway(request: Request[Any, Any, Any], error: GatewayError) -> Response[bytes]:
    headers = {"www-authenticate": "Bearer"} if error.status == 401 else {}
    if not request.scope["path"].startswith("/v1/"):
        if error.retry_after is not None:
            headers["retry-after"] = str(ceil(max(0.0, error.retry_after)))
        return _respond(request.scope, error.status, error.message, headers)
    written = error_envelope if "anthropic-version" in request.headers else error_answer
    status, said, body = written(error)
    return Response(body, status_code=status, headers={**headers, **own_headers(request.scope), **dict(said)})


def _answer_away(request: Request[Any, Any, Any], error: DatabaseUnavailable) -> Response[bytes]:
    _log.warning("database_away", extra={"fields": {"path": request.scope["path"]}})  # why, the registry has said
    return _answer_gateway(request, Overloaded("The database is away: try again later.", retry_after=_RETRY_SECONDS))


async def answer_unexpected(scope: Any, send: Any, error: Exception) -> None:
    """The same for what a handler raised that was called without the framework."""
    answer = _unexpected(scope["path"], error)
    headers = {**own_headers(scope), "content-type": answer.media_type, "content-length": str(len(answer.body))}
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": raw})
    await send({"type": "http.response.body", "body": answer.body})


def _answer_unexpected(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    return _answer(request.scope, _unexpected(request.scope["path"], error), {})


def _unexpected(path: str, error: Exception) -> Refusal:
    _log.error("request_failed", exc_info=error, extra={"fields": {"path": path}})
    return refusal(path, 500, "The gateway failed to answer this request.")


def _respond(scope: Scope, status: int, message: str, headers: Mapping[str, str]) -> Response[bytes]:
    return _answer(scope, refusal(scope["path"], status, message), headers)


def _answer(scope: Scope, answer: Refusal, headers: Mapping[str, str]) -> Response[bytes]:
    # As a header: Litestar would add a second charset to a media type that is text.
    said = {**headers, **own_headers(scope), "content-type": answer.media_type}
    return Response(answer.body, status_code=answer.status, headers=said)


def allowed_methods(app: Litestar, scope: Scope) -> tuple[str, ...]:
    """The methods served at the scope's path, sorted."""
    parts = [part for part in scope["path"].split("/") if part]
    methods: set[str] = set()
    for route in app.routes:
        if isinstance(route, HTTPRoute | ASGIRoute) and len(route.path_components) == len(parts):
            fixed = zip(route.path_components, parts, strict=True)
            if all(not isinstance(component, str) or component == part for component, part in fixed):
                methods.update(route.methods)
    return tuple(sorted(methods))
