"""What a chat upstream says about failures and usage."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any, Final

import msgspec

from gateway.events import Failure, Frame, Usage
from gateway.wire.upstream import ERRORS, count_of, object_of, reported

_Count = Annotated[int, msgspec.Meta(ge=0)]


class _Details(msgspec.Struct, gc=False):
    cached_tokens: _Count | None = None
    cache_write_tokens: _Count | None = None
    reasoning_tokens: _Count | None = None


class _Counts(msgspec.Struct, gc=False):
    prompt_tokens: _Count | None = None
    completion_tokens: _Count | None = None
    prompt_cache_hit_tokens: _Count | None = None
    prompt_tokens_details: _Details | None = None
    completion_tokens_details: _Details | None = None


_NO_DETAILS: Final = _Details()
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
    try:
        counts = msgspec.convert(native, _Counts)
    except ValueError:  # a count that is none, or half a character somewhere
        counts = _credible(native)
    prompt, completion = counts.prompt_tokens_details or _NO_DETAILS, counts.completion_tokens_details or _NO_DETAILS
    cached = prompt.cached_tokens
    return Usage(
        input=counts.prompt_tokens,
        output=counts.completion_tokens,
        cache_read=counts.prompt_cache_hit_tokens if cached is None else cached,
        cache_write=prompt.cache_write_tokens,
        reasoning=completion.reasoning_tokens,
        native=native,
        source=source,
    )


def _credible(native: Mapping[str, Any]) -> _Counts:
    """The counts that are some, of a usage that says others, too."""
    return _Counts(
        prompt_tokens=count_of(native.get("prompt_tokens")),
        completion_tokens=count_of(native.get("completion_tokens")),
        prompt_cache_hit_tokens=count_of(native.get("prompt_cache_hit_tokens")),
        prompt_tokens_details=_details(native.get("prompt_tokens_details")),
        completion_tokens_details=_details(native.get("completion_tokens_details")),
    )


def _details(native: Any) -> _Details:
    said = object_of(native)
    return _Details(**{name: count_of(said.get(name)) for name in _Details.__struct_fields__})
