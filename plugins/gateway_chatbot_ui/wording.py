"""What the route says of a failure, in the original's words: those of openai-node and of the route itself."""

from typing import Any, Final

from gateway.errors import (
    GatewayError,
    InvalidUpstreamUrl,
    LookupFailed,
    ModelNotFound,
    Unauthenticated,
    UpstreamBroken,
    UpstreamConnectTimeout,
    UpstreamError,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from gateway.wire.javascript import parse, stringify, truthy

_CONSTANTS: Final[tuple[tuple[type[GatewayError], int, str], ...]] = (
    (Unauthenticated, 401, "Authentication required."),
    (LookupFailed, 500, "Model lookup failed."),
    (InvalidUpstreamUrl, 500, "Invalid URL"),
    (UpstreamUnreachable, 500, "Connection error."),
    (UpstreamConnectTimeout, 500, "Connection error."),
    (UpstreamTimeout, 500, "Request timed out."),
)
_REWRITES: Final = (
    ("api key not found", "Custom API Key not found. Please set it in your profile settings."),
    ("incorrect api key", "Custom API Key is incorrect. Please fix it in your profile settings."),
)
_WITHOUT_BODY: Final = (204, 205, 304)


def wording(error: GatewayError, not_found: str) -> tuple[int, str]:
    """Status and message of a failure before the stream; `not_found` where a lookup had no words of its own."""
    status, message = _said(error, not_found)
    lowered = message.lower()
    message = next((text for sign, text in _REWRITES if sign in lowered), message)
    possible = 200 <= status <= 599 and status not in _WITHOUT_BODY
    return status if possible else 500, message or "An unexpected error occurred"


def _said(error: GatewayError, not_found: str) -> tuple[int, str]:
    for kind, status, text in _CONSTANTS:
        if isinstance(error, kind):
            return status, text
    if isinstance(error, ModelNotFound):
        return 500, error.message or not_found
    if isinstance(error, UpstreamError):
        return error.status, of_body(error.status, error.body)
    if isinstance(error, UpstreamBroken):
        native = error.failure.native
        if isinstance(native, bytes):
            return error.status, of_body(error.status, native)
        return error.status, of_error(error.status, native, error.message)
    return error.status, error.message


def of_body(status: int, body: bytes) -> str:
    """openai-node's message for an error answer: its JSON's `error`, or its text when it is no JSON."""
    text = body.decode("utf-8-sig", "replace")
    try:
        value = parse(text)
    except (ValueError, RecursionError):
        return of_error(status, None, text)
    if not truthy(value):
        return of_error(status, None, text)
    return of_error(status, value.get("error") if isinstance(value, dict) else None, "")


def of_error(status: int, error: Any, text: str) -> str:
    """openai-node's message for an error object; `text` when there is none."""
    message = error.get("message") if isinstance(error, dict) else None
    said = message if truthy(message) else error
    if truthy(said):
        text = message if isinstance(message, str) and message else _json(said)
    return f"{status} {text}" if text else f"{status} status code (no body)"


def _json(value: Any) -> str:
    try:
        return stringify(value)
    except RecursionError:
        return ""
