"""Secrets that upstreams quote: never told again, whichever way their words take."""

from collections.abc import Iterable

from gateway.domain import Exchange
from gateway.secrets import Secret, redact


def secrets_of(exchange: Exchange) -> Iterable[Secret]:
    """What the upstreams that were asked know of ours."""
    for attempt in exchange.attempts:
        yield attempt.model.api_key
        yield from (Secret(value) for value in attempt.model.headers.values())


def hidden(body: bytes, known: Iterable[Secret]) -> bytes:
    """The bytes without the secrets in them."""
    return redact(body.decode("utf-8", "surrogateescape"), known).encode("utf-8", "surrogateescape")
