"""What Google's APIs say of failures: inside a stream, as a whole body, and as an error answer."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import msgspec

from gateway.errors import UpstreamError
from gateway.events import Failure, Frame
from gateway.wire.unicode import well_formed
from gateway.wire.upstream import ERRORS

_STATUSES: Final[Mapping[str, int]] = MappingProxyType(
    {
        "INVALID_ARGUMENT": 400,
        "FAILED_PRECONDITION": 400,
        "OUT_OF_RANGE": 400,
        "UNAUTHENTICATED": 401,
        "PERMISSION_DENIED": 403,
        "NOT_FOUND": 404,
        "ABORTED": 409,
        "RESOURCE_EXHAUSTED": 429,
        "INTERNAL": 500,
        "UNIMPLEMENTED": 501,
        "UNAVAILABLE": 503,
        "DEADLINE_EXCEEDED": 504,
    }
)
_BAD_KEY: Final = frozenset(("API_KEY_INVALID", "API_KEY_SERVICE_BLOCKED"))
"""Reasons that stand behind a 400 although the key is what is wrong."""
_SECONDS: Final = re.compile(r"(\d{1,6}(?:\.\d{1,9})?)s")
_UNTOLD: Final = "The upstream reported an error."


def failure_of(error: Any, *, source: Frame | None = None) -> Failure:
    """The failure that an `error` object is."""
    status = _status(error)
    native = _native(error)
    return Failure(
        code="upstream_error",
        message=native["message"],
        status=status,
        retryable=status in (408, 409, 429) or status >= 500,
        native=native,
        source=source,
    )


def told_apart(error: UpstreamError) -> UpstreamError:
    """The same error in words that every client's dialect can use: some come as an array, and a bad key as a 400.

    A body that is not Google's stays as it is.
    """
    said = error_in(_decoded(error.body))
    if said is None:
        return error
    status = 401 if _reasons(said) & _BAD_KEY else error.status
    out = UpstreamError(
        status,
        msgspec.json.encode({"error": _native(said)}),
        error.headers,
        provider=error.provider,
        retry_after=_retry_after(said) if error.retry_after is None else error.retry_after,
        retryable=error.retryable,
    )
    out.detail = error.detail
    return out


def error_in(value: Any) -> Any | None:
    """The error of a body, which may be an array around it; None where there is none."""
    if isinstance(value, list):
        return next((said for one in value if (said := error_in(one)) is not None), None)
    return value.get("error") or None if isinstance(value, dict) else None


def _native(error: Any) -> dict[str, Any]:
    """Google's error in the form of OpenAI's: the status in words is its code."""
    details = error if isinstance(error, dict) else {}
    message, status = details.get("message", error), details.get("status")
    native = {"message": well_formed(message) if isinstance(message, str) and message else _UNTOLD}
    return {**native, "code": well_formed(status).lower()} if isinstance(status, str) and status else native


def _status(error: Any) -> int:
    details = error if isinstance(error, dict) else {}
    code = details.get("code")
    if type(code) is int and code in ERRORS:
        return code
    return _STATUSES.get(str(details.get("status")), 502)


def _details(error: Any) -> list[Mapping[str, Any]]:
    details = error.get("details") if isinstance(error, dict) else None
    return [one for one in details if isinstance(one, dict)] if isinstance(details, list) else []


def _reasons(error: Any) -> set[str]:
    return {reason for one in _details(error) if isinstance(reason := one.get("reason"), str)}


def _retry_after(error: Any) -> float | None:
    for one in _details(error):
        match = _SECONDS.fullmatch(str(one.get("retryDelay")))
        if match is not None:
            return float(match[1])
    return None


def _decoded(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return None
