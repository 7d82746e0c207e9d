"""Failures as Anthropic's clients read them: `{"type": "error", "error": {"type", "message", "details"}}`."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import msgspec

from gateway.errors import GatewayError, Headers
from gateway.events import Failure
from gateway.wire.envelope import error_answer
from gateway.wire.messages.failure import STATUSES

_TYPES: Final[Mapping[int, str]] = MappingProxyType(
    {**{status: kind for kind, status in STATUSES.items()}, 408: "timeout_error", 503: "overloaded_error"}
)


def failure_envelope(failure: Failure, *, own: bool) -> bytes:
    """What a stream that broke is told with; an upstream of this dialect has named the kind itself."""
    said = failure.native.get("type") if own and isinstance(failure.native, dict) else None
    kind = said if isinstance(said, str) and said in STATUSES else failure_type(failure.status)
    return _envelope(failure.message, kind, failure.code)


def error_envelope(error: GatewayError) -> tuple[int, Headers, bytes]:
    """Status, headers and body of a failure before the stream: what OpenAI's clients are told, in this form."""
    status, headers, body = error_answer(error)
    said = msgspec.json.decode(body)["error"]
    return status, headers, _envelope(said["message"], failure_type(status), said["code"])


def failure_type(status: int) -> str:
    """The kind of a failure with that status, in Anthropic's words."""
    return _TYPES.get(status, "api_error" if status >= 500 else "invalid_request_error")


def _envelope(message: str, kind: str, code: Any) -> bytes:
    error: dict[str, Any] = {"type": kind, "message": message}
    if isinstance(code, str):
        error["details"] = {"error_code": code}
    return msgspec.json.encode({"type": "error", "error": error})
