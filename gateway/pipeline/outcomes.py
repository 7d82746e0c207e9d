"""How attempts and exchanges ended."""

import time

from gateway.domain import Attempt, Exchange, Outcome
from gateway.events import Cause
from gateway.pipeline.live import Live

_STOPPED = {
    Cause.CLIENT_GONE: Outcome.CLIENT_ABORT,
    Cause.CLIENT_SLOW: Outcome.CLIENT_SLOW,
    Cause.SHUTDOWN: Outcome.SHUTDOWN,
}


def settle_attempt(attempt: Attempt, live: Live) -> None:
    """Note when and how the attempt ended; one that was superseded has been told so already."""
    attempt.ended = time.monotonic()
    if attempt.outcome is not None:
        return
    answer = attempt.answer
    stopped = _STOPPED.get(live.cause) if live.cause is not None else None
    if stopped is not None:
        attempt.outcome = stopped
    elif attempt.error is not None:
        cut = attempt.error.code in (Cause.EOF, Cause.RESET)
        attempt.outcome = Outcome.TRUNCATED if cut and answer is not None else Outcome.UPSTREAM_ERROR
    elif answer is None or not answer.complete:
        attempt.outcome = Outcome.GATEWAY_ERROR
    else:
        attempt.outcome = Outcome.CLIENT_ABORT if live.outlet.left else Outcome.OK


def outcome_of(exchange: Exchange, cause: Cause | None) -> Outcome:
    """How the exchange ended: as its last attempt did, or before there was one."""
    if exchange.attempts and exchange.attempts[-1].outcome is not None:
        return exchange.attempts[-1].outcome
    if cause is Cause.CLIENT_GONE:
        return Outcome.CLIENT_ABORT
    if exchange.error is not None and exchange.error.status < 500:
        return Outcome.REJECTED
    return Outcome.GATEWAY_ERROR
