"""Headers on their way through: the gateway's own in an answer, and the few of a client's that upstreams see."""

import re
import time
from typing import Final

import msgspec

from gateway.domain import Exchange
from gateway.errors import Headers
from gateway.protocols import ClientDialect, Scope
from gateway.requests import ChatRequest

_PLAIN: Final = re.compile(rb"[\x20-\x7e]{1,1024}")
_MOST: Final = 16


def forwarding(request: ChatRequest, dialect: ClientDialect, scope: Scope) -> ChatRequest:
    """The request with the headers that belong to its dialect: those the dialect names in `forwards`, if it does."""
    names = getattr(dialect, "forwards", ())
    if not names:
        return request
    found = tuple(
        (name.decode("latin-1"), value.decode("latin-1"))
        for name, value in scope["headers"]
        if name.decode("latin-1") in names and _PLAIN.fullmatch(value)
    )
    return msgspec.structs.replace(request, headers=(*request.headers, *found[:_MOST])) if found else request


def answer_headers(exchange: Exchange) -> Headers:
    """Of an answer whose first content is there."""
    return (("x-request-id", exchange.id), *topology(exchange))


def topology(exchange: Exchange) -> Headers:
    """What only a caller with the admin scope may see: which plugins there are, and how long each took.

    `Server-Timing` as the W3C writes it: milliseconds by `stage.plugin`, `upstream` from the dial to the first
    content, `total` since the request arrived.
    """
    principal = exchange.principal
    if principal is None or "admin" not in principal.scopes:
        return ()
    spent = dict(exchange.timings)
    if exchange.attempts and exchange.attempts[-1].first_content is not None:
        spent["upstream"] = exchange.attempts[-1].first_content - exchange.attempts[-1].started
    spent["total"] = time.monotonic() - exchange.started
    timing = ", ".join(f"{name};dur={1000 * seconds:.3f}" for name, seconds in spent.items())
    return (("server-timing", timing), *_attempted(exchange))


def _attempted(exchange: Exchange) -> Headers:
    if not exchange.attempts:
        return ()
    last = exchange.attempts[-1]
    lane: Headers = () if last.lane is None else (("x-gateway-lane", last.lane),)
    return (
        ("x-gateway-model", last.model.id),
        ("x-gateway-provider", last.model.provider),
        ("x-gateway-attempts", str(len(exchange.attempts))),
        *lane,
    )
