"""What a messages upstream says about failures, usage and how it stopped."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from gateway.events import Citation, Failure, FinishReason, Frame, Usage
from gateway.wire.upstream import ERRORS, count_of, object_of, reported, words_of

STATUSES: Final[Mapping[str, int]] = MappingProxyType(
    {
        "invalid_request_error": 400,
        "authentication_error": 401,
        "billing_error": 402,
        "permission_error": 403,
        "not_found_error": 404,
        "conflict_error": 409,
        "request_too_large": 413,
        "rate_limit_error": 429,
        "api_error": 500,
        "timeout_error": 504,
        "overloaded_error": 529,
    }
)
"""The types of errors, and the status each one comes with."""
REASONS: Final[Mapping[str, FinishReason]] = MappingProxyType(
    {
        "end_turn": "stop",
        "stop_sequence": "stop",
        "max_tokens": "length",
        "model_context_window_exceeded": "length",
        "tool_use": "tool_calls",
        "pause_turn": "pause",
        "refusal": "refusal",
    }
)


def failure_of(error: Any, *, status: int = 0, source: Frame | None = None) -> Failure:
    """The failure an `error` object is; `status` is the HTTP one, used if it is an error's."""
    kind = object_of(error).get("type")
    if status not in ERRORS:
        status = STATUSES.get(kind, 502) if isinstance(kind, str) else 502
    return reported(error, status, source=source)


def usage_of(native: Mapping[str, Any], *, source: Frame | None = None) -> Usage:
    """Tokens as a messages upstream counts them: what came from the cache and went to it is no part of its input."""
    fresh = count_of(native.get("input_tokens"))
    read, written = count_of(native.get("cache_read_input_tokens")), count_of(native.get("cache_creation_input_tokens"))
    details = native.get("output_tokens_details")
    return Usage(
        input=None if fresh is None else fresh + (read or 0) + (written or 0),
        output=count_of(native.get("output_tokens")),
        cache_read=read,
        cache_write=written,
        reasoning=count_of(details.get("thinking_tokens")) if isinstance(details, dict) else None,
        native=native,
        source=source,
    )


def citation_of(native: Any, part: int, *, source: Frame | None = None) -> Citation | None:
    """A citation in its own shape; None for what is none. Its places count the document, not the answer."""
    if not isinstance(native, dict):
        return None
    url, found = native.get("url"), native.get("source")
    if url is None and isinstance(found, str) and found.startswith(("https://", "http://")):
        url = found
    return Citation(
        url=words_of(url),
        title=words_of(native.get("title", native.get("document_title"))),
        quote=words_of(native.get("cited_text")),
        part=part,
        native=native,
        source=source,
    )
