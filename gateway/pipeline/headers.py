"""Headers on their way through: the gateway's own in an answer, and the few of a client's that upstreams see."""

import re
import time
from typing import Final

import msgspec

from gateway.domain import Exchange
from gateway.errors import Headers, InvalidRequest
from gateway.protocols import ClientDialect, Scope
from gateway.requests import ChatRequest

_NAME: Final = re.compile(r"[\x21-\x2b\x2d-\x7e]{1,64}")
_PLAIN: Final = re.compile(rb"[\x20-\x7e]{1,1024}")
_UNTOLD: Final = re.compile(r"[^\x20-\x7e]")
"""What a plugin's own names may hold, and a header may not."""
_MOST: Final = 16
_STRICT: Final = "x-gateway-strict-params"
_LIMIT: Final = re.compile(r"(?:x|anthropic)-ratelimit-[a-z-]{1,64}: [\x20-\x7e]{0,128}")


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


def strict(exchange: Exchange, *, always: bool) -> bool:
    """Whether what has no place at the model's upstream is refused: the operator's word, or the client's for one."""
    said = (exchange.header(_STRICT) or "").strip().lower()
    if said not in ("", "true", "false"):
        raise InvalidRequest(f"The header {_STRICT} must be true or false.", param=_STRICT)
    return always or said == "true"


def answer_headers(exchange: Exchange) -> Headers:
    """Of every answer, refusals included."""
    spent = 1000 * (time.monotonic() - exchange.started)
    clock: Headers = ((exchange.clock, str(round(spent))),) if exchange.clock else ()
    return (
        ("x-request-id", exchange.id),
        *clock,
        *exchange.added_headers,
        *_dropped(exchange),
        *_topology(exchange),
    )


def _dropped(exchange: Exchange) -> Headers:
    """What the client asked and the model was not: its own request, so that everybody may know."""
    request = exchange.attempts[-1].request if exchange.attempts else None
    if request is None or not request.lost:
        return ()
    names = [name for name in request.lost if _NAME.fullmatch(name)]
    return (("x-gateway-dropped-params", ", ".join(names[:_MOST])),) if names else ()


def _topology(exchange: Exchange) -> Headers:
    """What only a caller may see who is to know of models and plugins: which there are, and how long each took.

    The upstream's rate limits are among it: they tell of the operator's account, which others share, and clients that
    took them for their own would slow down for nothing. `Server-Timing` as the W3C writes it: milliseconds by
    `stage.plugin`, `upstream` from the dial to the first content, `total` since the request arrived.
    """
    if not exchange.exposed:
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
        ("x-gateway-model", _UNTOLD.sub("?", last.model.id)),
        ("x-gateway-provider", _UNTOLD.sub("?", last.model.provider)),
        ("x-gateway-attempts", str(len(exchange.attempts))),
        *lane,
        *_upstream_limits(exchange, last.upstream_headers),
    )


def _upstream_limits(exchange: Exchange, headers: Headers) -> Headers:
    """The upstream's own limits; where a limiter has told of the caller's under the same name, those count."""
    ours = {name for name, _ in exchange.added_headers}
    return [(name, value) for name, value in headers if name not in ours and _LIMIT.fullmatch(f"{name}: {value}")][
        :_MOST
    ]
