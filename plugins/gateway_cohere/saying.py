"""What Cohere says about usage, how it stopped, what it cites and what failed, in the words all dialects share."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from gateway import Citation, Failure, Finish, Usage
from gateway.events import FinishReason, Frame
from gateway.wire.unicode import well_formed
from gateway.wire.upstream import ERRORS, object_in

_REASONS: Final[Mapping[str, FinishReason]] = MappingProxyType(
    {
        "COMPLETE": "stop",
        "STOP_SEQUENCE": "stop",
        "MAX_TOKENS": "length",
        "TOOL_CALL": "tool_calls",
        "ERROR_TOXIC": "content_filter",
    }
)
_BROKEN: Final[Mapping[str, int]] = MappingProxyType({"ERROR": 502, "ERROR_LIMIT": 502, "TIMEOUT": 504})
"""Ends that are failures, and their statuses."""


def failure_of(said: Mapping[str, Any], source: Frame | None = None, *, status: int = 0) -> Failure:
    """The failure a `message` or an `error` tells of; `status` is used if it is an error's."""
    error = said.get("error")
    message = words(said, "message") or words(object_in(said, "error"), "message") or words(said, "error")
    status = status if status in ERRORS else 502
    return Failure(
        code="upstream_error",
        message=message or "The upstream reported an error.",
        status=status,
        retryable=status in (408, 409, 429) or status >= 500,
        native=error if isinstance(error, dict) else {"message": message},
        source=source,
    )


def usage_of(native: Mapping[str, Any], source: Frame | None = None) -> Usage:
    """Tokens that the model read and wrote; those that are billed, where nothing else is told."""
    counted = object_in(native, "tokens") or object_in(native, "billed_units")
    return Usage(
        input=_count(counted.get("input_tokens")),
        output=_count(counted.get("output_tokens")),
        cache_read=_count(native.get("cached_tokens")),
        native=native,
        source=source,
    )


def ending(said: Mapping[str, Any], source: Frame | None = None) -> Finish | Failure | None:
    """How the answer stopped, which may be a failure; None where nothing is said of it."""
    reason = words(said, "finish_reason")
    if reason is None:
        return None
    if reason in _BROKEN:
        return failure_of(said, source, status=_BROKEN[reason])
    return Finish(reason=_REASONS.get(reason, "other"), native=reason, source=source)


def citations_of(native: Mapping[str, Any], part: int | None, source: Frame | None = None) -> list[Citation]:
    """A citation once for each of its sources; its places count the text of the answer."""
    given = native.get("sources")
    sources = [one for one in given if isinstance(one, dict)] if isinstance(given, list) else []
    return [_citation(native, one, part, source) for one in sources or [{}]]


def _citation(native: Mapping[str, Any], found: Mapping[str, Any], part: int | None, source: Frame | None) -> Citation:
    document = object_in(found, "document") or object_in(found, "tool_output")
    url = words(document, "url")
    return Citation(
        url=url if url is not None and url.startswith(("https://", "http://")) else None,
        title=words(document, "title") or words(found, "id"),
        quote=words(document, "snippet") or words(document, "text"),
        start=_count(native.get("start")),
        end=_count(native.get("end")),
        part=part,
        native=native,
        source=source,
    )


def words(said: Mapping[str, Any], name: str) -> str | None:
    """A text of that name that is not empty; None where there is none."""
    value = said.get(name)
    return well_formed(value) if isinstance(value, str) and value else None


def _count(value: Any) -> int | None:
    """A count; Cohere tells some of them as `12.0`."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if type(value) is int and value >= 0 else None
