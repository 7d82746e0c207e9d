"""How limits are told: refusals in words, and headers that clients' SDKs know."""

import time
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from gateway import RateLimited
from gateway.errors import Headers
from gateway_limits.counters import MINUTE, Cell, Kind, Taken

_KINDS: Final[Mapping[Kind, str]] = MappingProxyType({"rpm": "requests", "tpm": "tokens"})
_BUSY: Final = 1.0
"""Seconds until who has too many requests at one time may ask again: nobody knows when one ends."""
_WHOSE: Final = MappingProxyType(
    {"key": "This key has a limit", "owner": "The keys of this owner have a limit", "model": "This model has a limit"}
)
_WHAT: Final[Mapping[Kind, str]] = MappingProxyType(
    {"rpm": "requests per minute", "tpm": "tokens per minute", "concurrent": "requests at one time"}
)


def refusal(cells: Sequence[Cell], taken: Taken) -> RateLimited:
    """What the client is told when one of the cells has too little left."""
    assert taken.refused is not None
    cell, left = cells[taken.refused], taken.left[taken.refused]
    whose = _WHOSE[cell.name.partition(":")[0]]
    text = f"{whose} of {cell.limit:g} {_WHAT[cell.kind]}, and it is reached."
    if cell.kind == "concurrent":
        return RateLimited(text, retry_after=_BUSY)
    return RateLimited(text, retry_after=(cell.need - left) * MINUTE / cell.limit)


def too_large(cell: Cell, tokens: int) -> RateLimited:
    """What the client is told of a request that no waiting would help."""
    whose = _WHOSE[cell.name.partition(":")[0]]
    return RateLimited(
        f"{whose} of {cell.limit:g} {_WHAT['tpm']}, and this request has about {tokens}: it can never be served."
    )


def limit_headers(surface: str, cells: Sequence[Cell], taken: Taken) -> Headers:
    """Of requests and of tokens, the limit that leaves least: in Anthropic's words on its surface, else in OpenAI's."""
    headers: list[tuple[str, str]] = []
    for kind, word in _KINDS.items():
        found = [
            (left / cell.limit, left, cell) for cell, left in zip(cells, taken.left, strict=True) if cell.kind == kind
        ]
        if found:
            _, left, cell = min(found)
            until = (cell.limit - left) * MINUTE / cell.limit
            headers += (_anthropic if surface == "messages" else _openai)(word, cell.limit, max(0, int(left)), until)
    return tuple(headers)


def _openai(word: str, limit: float, left: int, until: float) -> Headers:
    return (
        (f"x-ratelimit-limit-{word}", f"{limit:.0f}"),
        (f"x-ratelimit-remaining-{word}", str(left)),
        (f"x-ratelimit-reset-{word}", _span(until)),
    )


def _anthropic(word: str, limit: float, left: int, until: float) -> Headers:
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + until + 0.999))
    return (
        (f"anthropic-ratelimit-{word}-limit", f"{limit:.0f}"),
        (f"anthropic-ratelimit-{word}-remaining", str(left)),
        (f"anthropic-ratelimit-{word}-reset", at),
    )


def _span(seconds: float) -> str:
    """`120ms`, `1.5s`, `6m0s`, as Go writes a duration and OpenAI does."""
    if seconds < 1:
        return f"{round(1000 * seconds)}ms"
    minutes, rest = divmod(round(seconds, 3), 60)
    return f"{minutes:.0f}m{rest:g}s" if minutes else f"{rest:g}s"
