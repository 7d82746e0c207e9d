"""Refusals of requests that no surface serves, each in the dialect of the path's prefix."""

import os
from http import HTTPStatus
from typing import NamedTuple

import msgspec


class Refusal(NamedTuple):
    """A response that says no."""

    status: int
    media_type: str
    body: bytes


_TEXT = "text/plain;charset=UTF-8"
_JSON = "application/json"
_PROBLEM = "application/problem+json"
_CODES = {
    400: "invalid_request",
    404: "unknown_url",
    405: "method_not_allowed",
    408: "request_timeout",
    413: "request_too_large",
    431: "headers_too_large",
    500: "internal_error",
}


def refusal(path: str, status: int, message: str) -> Refusal:
    """The refusal in the words of `/v1` (OpenAI), `/admin` (RFC 9457), `/api` (the custom route), or plain JSON."""
    if _under(path, "/v1"):
        kind = "api_error" if status >= 500 else "invalid_request_error"
        code = _CODES.get(status, "invalid_request")
        error = {"message": message, "type": kind, "param": None, "code": code}
        return Refusal(status, _JSON, msgspec.json.encode({"error": error}))
    if _under(path, "/admin"):
        title = HTTPStatus(status).phrase
        problem = {"type": "about:blank", "title": title, "status": status, "detail": message}
        return Refusal(status, _PROBLEM, msgspec.json.encode(problem))
    body = msgspec.json.encode({"message": message})
    return Refusal(status, _TEXT if _under(path, "/api") else _JSON, body)


def request_id() -> dict[str, str]:
    """The header that names one answer, for those that are no exchange and so have no name of their own."""
    return {"x-request-id": os.urandom(16).hex()}


def _under(path: str, prefix: str) -> bool:
    return path == prefix or path.startswith(prefix + "/")
