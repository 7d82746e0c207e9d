"""What a chat upstream says about failures and usage."""

from collections.abc import Mapping
from typing import Any

from gateway.events import Failure, Frame, Usage
from gateway.wire.unicode import well_formed

_ERROR_STATUS = range(400, 600)


def failure_of(error: Any, body: Mapping[str, Any], *, status: int = 0, source: Frame | None = None) -> Failure:
    """The failure a top-level `error` is; `status` is the HTTP one, used if it is an error's."""
    details: Mapping[str, Any] = error if isinstance(error, dict) else {}
    said = [v for v in (status, *(o.get(k) for o in (details, body) for k in ("status", "code"))) if type(v) is int]
    status = next((v for v in said if v in _ERROR_STATUS), 502)
    message = details.get("message", error)
    return Failure(
        code="upstream_error",
        message=well_formed(message) if isinstance(message, str) and message else "The upstream reported an error.",
        status=status,
        retryable=status in (408, 409, 429) or status >= 500,
        native=error,
        source=source,
    )


def usage_of(native: Mapping[str, Any], *, source: Frame | None = None) -> Usage:
    """Tokens as a chat upstream counts them."""
    prompt = _object(native.get("prompt_tokens_details"))
    completion = _object(native.get("completion_tokens_details"))
    cached = _count(prompt.get("cached_tokens"))
    return Usage(
        input=_count(native.get("prompt_tokens")),
        output=_count(native.get("completion_tokens")),
        cache_read=_count(native.get("prompt_cache_hit_tokens")) if cached is None else cached,
        cache_write=_count(prompt.get("cache_write_tokens")),
        reasoning=_count(completion.get("reasoning_tokens")),
        native=native,
        source=source,
    )


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _count(value: Any) -> int | None:
    return value if type(value) is int and value >= 0 else None
