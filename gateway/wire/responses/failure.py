"""What a responses upstream says about failures, usage, sources and how it stopped."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from gateway.events import Citation, Failure, Finish, FinishReason, Frame, Usage
from gateway.wire.upstream import ERRORS, count_of, object_of, reported, words_of

_STATUSES: Final[Mapping[str, int]] = MappingProxyType(
    {
        "rate_limit_exceeded": 429,
        "insufficient_quota": 429,
        "server_is_overloaded": 503,
        "slow_down": 503,
        "server_error": 500,
        "vector_store_timeout": 504,
        "rate_limit_error": 429,
        "authentication_error": 401,
        "invalid_request_error": 400,
    }
)
"""By code or type; every other code accuses the prompt, an image, or what they say."""
_REASONS: Final[Mapping[str, FinishReason]] = MappingProxyType(
    {"max_output_tokens": "length", "content_filter": "content_filter"}
)
CALLS: Final = frozenset(("function_call", "custom_tool_call"))


def failure_of(error: Any, *, status: int = 0, source: Frame | None = None) -> Failure:
    """The failure an `error` object is; `status` is the HTTP one, used if it is an error's."""
    if status not in ERRORS:
        status = _status(object_of(error))
    return reported(error, status, source=source)


def _status(details: Mapping[str, Any]) -> int:
    said = [details.get(name) for name in ("code", "status", "type")]
    number = next((v for v in said if type(v) is int and v in ERRORS), None)
    if number is not None:
        return number
    words = [v for v in said if isinstance(v, str) and v]
    known = next((_STATUSES[word] for word in words if word in _STATUSES), None)
    if known is not None:
        return known
    code = details.get("code")
    return 400 if isinstance(code, str) and code.startswith(("invalid_", "image_", "unsupported_")) else 502


def usage_of(native: Mapping[str, Any], *, source: Frame | None = None) -> Usage:
    """Tokens as a responses upstream counts them."""
    given, made = object_of(native.get("input_tokens_details")), object_of(native.get("output_tokens_details"))
    return Usage(
        input=count_of(native.get("input_tokens")),
        output=count_of(native.get("output_tokens")),
        cache_read=count_of(given.get("cached_tokens")),
        cache_write=count_of(given.get("cache_write_tokens")),
        reasoning=count_of(made.get("reasoning_tokens")),
        native=native,
        source=source,
    )


def citation_of(native: Any, part: int, *, source: Frame | None = None) -> Citation | None:
    """An annotation; None for what is none."""
    if not isinstance(native, dict):
        return None
    return Citation(
        url=words_of(native.get("url")),
        title=words_of(native.get("title", native.get("filename"))),
        start=count_of(native.get("start_index")),
        end=count_of(native.get("end_index")),
        part=part,
        native=native,
        source=source,
    )


def finish_of(response: Mapping[str, Any], *, called: bool, source: Frame | None = None) -> Finish:
    """How a response that ended properly stopped; `called` says that it calls a tool."""
    details = object_of(response.get("incomplete_details"))
    if response.get("status") == "incomplete" or details:
        native = words_of(details.get("reason")) or "incomplete"
        return Finish(reason=_REASONS.get(native, "other"), native=native, source=source)
    output = response.get("output")
    kinds = {item.get("type") for item in output if isinstance(item, dict)} if isinstance(output, list) else set()
    reason: FinishReason = "tool_calls" if called or CALLS & kinds else "stop"
    return Finish(reason=reason, native="completed", source=source)
