"""Refusals of requests that no surface serves, each in the dialect of the path's prefix."""

import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final, NamedTuple

import msgspec

from gateway.wire.ids import new_id
from gateway.wire.messages import failure_type


class Refusal(NamedTuple):
    """A response that says no."""

    status: int
    media_type: str
    body: bytes


_TEXT = "text/plain;charset=UTF-8"
_JSON = "application/json"
_PROBLEM = "application/problem+json"
BEGAN: Final = "gateway.began"
"""Where a request's scope says when it came, on the monotonic clock."""
_CODES = {
    400: "invalid_request",
    404: "unknown_url",
    405: "method_not_allowed",
    408: "request_timeout",
    413: "request_too_large",
    431: "headers_too_large",
    500: "internal_error",
    503: "overloaded",
}


def refusal(path: str, status: int, message: str) -> Refusal:
    """The refusal in the words of `/v1` (OpenAI), of `/v1/messages` (Anthropic), of `/admin` (RFC 9457), of `/api` (the
    custom route), or plain JSON.
    """
    if _under(path, "/v1/messages"):
        said = {"type": failure_type(status), "message": message, "details": {"error_code": _code(status)}}
        return Refusal(status, _JSON, msgspec.json.encode({"type": "error", "error": said}))
    if _under(path, "/v1"):
        kind = "api_error" if status >= 500 else "invalid_request_error"
        error = {"message": message, "type": kind, "param": None, "code": _code(status)}
        return Refusal(status, _JSON, msgspec.json.encode({"error": error}))
    if _under(path, "/admin"):
        title = HTTPStatus(status).phrase
        problem = {"type": "about:blank", "title": title, "status": status, "detail": message}
        return Refusal(status, _PROBLEM, msgspec.json.encode(problem))
    body = msgspec.json.encode({"message": message})
    return Refusal(status, _TEXT if _under(path, "/api") else _JSON, body)


def own_headers(scope: Mapping[str, Any]) -> dict[str, str]:
    """The headers of answers that are no exchange: a name and, where OpenAI's clients may read it, the time it took."""
    named = {"x-request-id": new_id()}
    path, began = scope["path"], scope.get(BEGAN)
    if began is None or not _under(path, "/v1") or _under(path, "/v1/messages"):
        return named
    return {**named, "openai-processing-ms": str(round(1000 * (time.monotonic() - began)))}


def _code(status: int) -> str:
    return _CODES.get(status, "invalid_request")


def _under(path: str, prefix: str) -> bool:
    return path == prefix or path.startswith(prefix + "/")
