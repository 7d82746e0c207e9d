"""What a chat upstream says about failures and usage."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from gateway.events import Failure, Frame, Usage
from gateway.wire.upstream import ERRORS, count_of, object_of, reported

_DIGITS: Final = re.compile(r"[0-9]{3}").fullmatch
_SPELLED: Final[Mapping[str, int]] = MappingProxyType(
    {
        "context_length_exceeded": 400,
        "invalid_request_error": 400,
        "authentication_error": 401,
        "permission_error": 403,
        "not_found_error": 404,
        "rate_limit_error": 429,
        "rate_limit_exceeded": 429,
        "server_error": 500,
        "overloaded_error": 529,
    }
)


def failure_of(
    error: Any, body: Mapping[str, Any], *, status: int = 0, source: Frame | None = None, spelled: bool = False
) -> Failure:
    """The failure a top-level `error` is; `status` is the HTTP one, used if it is an error's.

    `spelled` takes statuses from texts, too: numbers in quotes, and the kinds that OpenAI and Anthropic name.
    """
    details = object_of(error)
    given = (status, *(o.get(k) for o in (details, body) for k in ("status", "code")))
    said = [v for v in given if type(v) is int]
    if spelled:
        said += [
            _SPELLED.get(v, int(v) if _DIGITS(v) else 0) for v in (*given, details.get("type")) if isinstance(v, str)
        ]
    status = next((v for v in said if v in ERRORS), 502)
    return reported(error, status, source=source)


def usage_of(native: Mapping[str, Any], *, source: Frame | None = None) -> Usage:
    """Tokens as a chat upstream counts them."""
    prompt = object_of(native.get("prompt_tokens_details"))
    completion = object_of(native.get("completion_tokens_details"))
    cached = count_of(prompt.get("cached_tokens"))
    return Usage(
        input=count_of(native.get("prompt_tokens")),
        output=count_of(native.get("completion_tokens")),
        cache_read=count_of(native.get("prompt_cache_hit_tokens")) if cached is None else cached,
        cache_write=count_of(prompt.get("cache_write_tokens")),
        reasoning=count_of(completion.get("reasoning_tokens")),
        native=native,
        source=source,
    )
