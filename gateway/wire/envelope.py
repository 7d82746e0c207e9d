"""Failures as OpenAI's clients read them: `{"error": {"message", "type", "param", "code"}}`."""

from collections.abc import Mapping
from math import ceil
from typing import Any, Final

import msgspec

from gateway.errors import GatewayError, Headers, ModelNotFound, UpstreamBroken, UpstreamError, UpstreamTlsError
from gateway.events import Failure
from gateway.wire.said import error_in

_OURS: Final = frozenset((401, 403))
"""Upstream statuses that accuse the gateway's own credential, which the client can do nothing about."""
_NOT_FOUND: Final = "The model does not exist or you do not have access to it."
_REFUSED_US: Final = "The gateway's credential for this model was refused upstream."
_TYPES: Final = {400: "invalid_request_error", 404: "invalid_request_error", 413: "invalid_request_error"}


def envelope(message: str, *, type: str, code: Any, param: Any = None) -> bytes:
    """The error as JSON."""
    return msgspec.json.encode({"error": {"message": message, "type": type, "param": param, "code": code}})


def failure_envelope(failure: Failure) -> bytes:
    """What a stream that broke is told with."""
    return msgspec.json.encode({"error": failure_error(failure)})


def failure_error(failure: Failure) -> dict[str, Any]:
    """The error object of a stream that broke; the upstream's own words where it sent some."""
    said = failure.native if isinstance(failure.native, dict) else {}
    kind, code = said.get("type"), said.get("code")
    return {
        "message": failure.message,
        "type": kind if isinstance(kind, str) else "api_error",
        "param": said.get("param"),
        "code": failure.code if code is None else code,
    }


def error_answer(error: GatewayError) -> tuple[int, Headers, bytes]:
    """Status, headers and body of a failure before the stream.

    An upstream's 401 or 403 is the operator's to mend: 502, and the clients' SDKs are told not to try again. After the
    router has given up nobody should, except where somebody said when.
    """
    status, message, kind, code, param = _said(error)
    headers = [("content-type", "application/json")]
    if error.retry_after is not None:
        seconds = max(0.0, error.retry_after)
        headers += [("retry-after", str(ceil(seconds))), ("retry-after-ms", str(ceil(seconds * 1000)))]
    elif status >= 500 or status in (408, 409, 429) or isinstance(error, UpstreamTlsError):
        headers.append(("x-should-retry", "false"))
    return status, headers, envelope(message, type=kind, code=code, param=param)


def _said(error: GatewayError) -> tuple[int, str, str, Any, Any]:
    if isinstance(error, UpstreamError):
        return _upstream(error.status, error_in(error.body), error)
    if isinstance(error, UpstreamBroken):
        native = error.failure.native
        said = error_in(native) if isinstance(native, bytes) else native
        return _upstream(error.status, said if isinstance(said, dict) else {}, error)
    if isinstance(error, ModelNotFound):
        return error.status, error.message or _NOT_FOUND, error.type, error.code, "model"
    return error.status, error.message or "The request failed.", error.type, error.code, error.param


def _upstream(status: int, said: Mapping[str, Any], error: GatewayError) -> tuple[int, str, str, Any, Any]:
    if status in _OURS:
        return 502, _REFUSED_US, "api_error", "upstream_authentication_error", None
    message, kind, code = said.get("message"), said.get("type"), said.get("code")
    return (
        status if 400 <= status < 520 or status == 529 else 502,
        message if isinstance(message, str) and message else error.message,
        kind if isinstance(kind, str) and kind else _TYPES.get(status, "api_error"),
        error.code if code is None else code,
        said.get("param"),
    )
