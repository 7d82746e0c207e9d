"""What Bedrock says about usage, how it stopped, what it cites and what failed, in the words all dialects share."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from gateway import Citation, Failure, Finish, Usage
from gateway.events import FinishReason, Frame
from gateway.wire.unicode import well_formed
from gateway.wire.upstream import ERRORS, count_of, object_in

_REASONS: Final[Mapping[str, FinishReason]] = MappingProxyType(
    {
        "end_turn": "stop",
        "stop_sequence": "stop",
        "max_tokens": "length",
        "model_context_window_exceeded": "length",
        "tool_use": "tool_calls",
        "guardrail_intervened": "content_filter",
        "content_filtered": "content_filter",
        "malformed_model_output": "error",
        "malformed_tool_use": "error",
    }
)
_STATUSES: Final[Mapping[str, int]] = MappingProxyType(
    {
        "validationexception": 400,
        "accessdeniedexception": 403,
        "resourcenotfoundexception": 404,
        "modeltimeoutexception": 408,
        "modelerrorexception": 424,
        "modelstreamerrorexception": 424,
        "modelnotreadyexception": 429,
        "throttlingexception": 429,
        "internalserverexception": 500,
        "serviceunavailableexception": 503,
    }
)
"""The kinds of exceptions, in lower case, and the status each one comes with where it comes with one."""


def failure_of(kind: str | None, said: Mapping[str, Any], source: Frame | None = None, *, status: int = 0) -> Failure:
    """The failure an exception is; `status` is the HTTP one, used if it is an error's."""
    if status not in ERRORS:
        status = _STATUSES.get((kind or "").lower(), 502)
    message = words(said, "message") or words(said, "Message") or words(said, "originalMessage")
    return Failure(
        code="upstream_error",
        message=message or "The upstream reported an error.",
        status=status,
        retryable=status in (408, 424, 429) or status >= 500,  # 424 is the model's own failure: "Retry your request."
        native={"type": kind, "message": message} if kind else dict(said),
        source=source,
    )


def usage_of(native: Mapping[str, Any], source: Frame | None = None) -> Usage:
    """Tokens as Bedrock counts them: what came from the cache and went to it is no part of its input."""
    fresh = count_of(native.get("inputTokens"))
    read, written = count_of(native.get("cacheReadInputTokens")), count_of(native.get("cacheWriteInputTokens"))
    return Usage(
        input=None if fresh is None else fresh + (read or 0) + (written or 0),
        output=count_of(native.get("outputTokens")),
        cache_read=read,
        cache_write=written,
        native=native,
        source=source,
    )


def finish_of(said: Mapping[str, Any], source: Frame | None = None) -> Finish | None:
    """How the answer stopped; None where nothing is said of it."""
    reason = words(said, "stopReason")
    if not reason:
        return None
    sequence = words(object_in(said, "additionalModelResponseFields"), "stop_sequence")
    return Finish(reason=_REASONS.get(reason, "other"), native=reason, stop_sequence=sequence, source=source)


def citation_of(native: Mapping[str, Any], part: int, source: Frame | None = None) -> Citation:
    """A citation; its places count the document, not the answer."""
    pieces = native.get("sourceContent")
    quotes = [words(piece, "text") or "" for piece in pieces if isinstance(piece, dict)] if pieces else []
    return Citation(
        url=words(object_in(object_in(native, "location"), "web"), "url"),
        title=words(native, "title"),
        quote="".join(quotes) or None,
        part=part,
        native=native,
        source=source,
    )


def words(said: Mapping[str, Any], name: str) -> str | None:
    """A text of that name; None where there is none."""
    value = said.get(name)
    return well_formed(value) if isinstance(value, str) else None
