"""The only retry loop: which model is tried, how often, and how each attempt ended."""

import asyncio
import time
from collections.abc import Sequence
from math import ceil

from gateway.domain import Attempt, Exchange, Model, Outcome, Route
from gateway.errors import (
    GatewayError,
    Headers,
    ModelMisconfigured,
    ShuttingDown,
    StaleConnection,
    UpstreamBroken,
    UpstreamConnectTimeout,
    UpstreamError,
    UpstreamReset,
    UpstreamTimeout,
)
from gateway.events import Cause, Failure
from gateway.pipeline.calls import Calls
from gateway.pipeline.choosing import Choice, choose
from gateway.pipeline.clients import ClientCache
from gateway.pipeline.lanes import relay_for
from gateway.pipeline.live import Live
from gateway.pipeline.mapping import map_error
from gateway.pipeline.observers import start_observers
from gateway.pipeline.plain import plain_relay
from gateway.pipeline.pump import Pump
from gateway.pipeline.steps import start_steps
from gateway.pipeline.waiting import WaitingPump
from gateway.protocols import ByteUpstream, ClientDialect, Logger, Upstream
from gateway.requests import ChatRequest
from gateway.routing import Health, RetryBudgets, delay_before
from gateway.runtime import Generation

WHOLE: Headers = (("content-type", "application/json"),)
"""Of an answer that is no stream."""
TRIES = 3
"""Attempts of one exchange, failovers and retries together."""


class Router:
    """Tries a route's models until one answers; nothing is tried again once content went out."""

    def __init__(self, calls: Calls, log: Logger) -> None:
        self._calls = calls
        self._log = log
        self.health = Health()
        self._budgets = RetryBudgets()
        self.clients = ClientCache(log)

    async def run(self, live: Live, generation: Generation, dialect: ClientDialect) -> None:
        """Answer the exchange; raises the last attempt's error when none could."""
        exchange = live.exchange
        assert exchange.route is not None
        assert exchange.request is not None
        request = _addressed(exchange.request, exchange.route)
        targets = self.choose(generation, exchange, request).order
        if (held := self.health.held(targets)) is not None:
            raise _held(held)
        self._budgets.request(targets[0].tenant)
        position = 0
        for number in range(1, TRIES + 1):
            attempt = Attempt(exchange, targets[position], number)
            exchange.attempts.append(attempt)
            error = await self._attempt(live, generation, dialect, request)
            if error is None:
                return
            self.health.failed(attempt.model, error)
            self._log.debug("attempt_failed", exchange=exchange.id, number=number, code=error.code, status=error.status)
            position, wait = self._next(error, number, targets, position)
            if wait is None:
                raise error
            if wait:
                await asyncio.sleep(wait)

    def choose(self, generation: Generation, exchange: Exchange, request: ChatRequest) -> Choice:
        """The models to try, by the route's terms and its strategy; raises when there are none."""
        return choose(generation, self.health, self._calls, exchange, request)

    def _next(
        self, error: GatewayError, number: int, targets: Sequence[Model], position: int
    ) -> tuple[int, float | None]:
        """Which target next, and after how many seconds; None = give up."""
        if number == TRIES:
            return position, None
        wait: float | None = None
        elsewhere = error.retryable or isinstance(error, UpstreamConnectTimeout | ModelMisconfigured)
        if elsewhere and position + 1 < len(targets):
            position, wait = position + 1, 0.0
        elif isinstance(error, StaleConnection):
            wait = 0.0
        elif error.retryable:
            wait = delay_before(number, error.retry_after)
        if wait is None or not self._budgets.withdraw(targets[position].tenant):
            return position, None
        return position, wait

    async def _attempt(
        self, live: Live, generation: Generation, dialect: ClientDialect, request: ChatRequest
    ) -> GatewayError | None:
        """One call to one model: None when the answer went to the client, the error when nothing did."""
        attempt = live.exchange.attempts[-1]
        try:
            with self.clients.lease(generation, attempt.model) as client:
                async with asyncio.timeout(attempt.model.timeouts.first):
                    upstream = await client.open(request, attempt)
                await self._relay(live, generation, upstream, dialect, request)
        except TimeoutError:
            attempt.error = UpstreamTimeout("Request timed out.")
        except Exception as error:  # noqa: BLE001 - a named border: the upstream attempt
            attempt.error = map_error(generation, error, attempt, self._calls)
        finally:
            live.pump = None
            _settle(attempt, live)
        if attempt.error is None or live.outlet.started:
            if attempt.outcome is Outcome.OK:
                self.health.succeeded(attempt.model)
            return None
        return attempt.error

    async def _relay(
        self,
        live: Live,
        generation: Generation,
        upstream: Upstream,
        dialect: ClientDialect,
        request: ChatRequest,
    ) -> None:
        """Move the answer; raises what it failed with when nothing of it went out."""
        attempt = live.exchange.attempts[-1]
        try:
            steps = start_steps(generation, live.exchange, self._calls) if request.is_chat else None
            observers = start_observers(generation, live.exchange, self._calls)
            if not request.is_chat:
                relay = plain_relay(upstream, dialect, request, observers=observers)
            else:
                relay = relay_for(upstream, dialect, request, steps=steps, observers=observers)
        except BaseException:
            if isinstance(upstream, ByteUpstream):
                upstream.body.close()
            raise
        answer = attempt.answer = relay.answer
        attempt.lane = relay.lane
        kind = WaitingPump if relay.waits else Pump
        headers = relay.headers if relay.headers is not None else WHOLE if relay.whole else dialect.headers
        live.pump = pump = kind(attempt, relay, live.outlet, headers)
        if isinstance(upstream, ByteUpstream):
            await pump.run_bytes(upstream.body)
        else:
            await pump.run_events(upstream)
        live.cause = live.cause or (pump.cause if pump.cause in (Cause.CLIENT_SLOW, Cause.SHUTDOWN) else None)
        if answer.failure is None:
            return
        if relay.open:
            attempt.error = UpstreamBroken(answer.failure)
        else:
            raise pump.error or _unopened(answer.failure, pump.cause)


def _addressed(request: ChatRequest, route: Route) -> ChatRequest:
    """A client that names the upstream's model itself does so only for a route of one."""
    return request.with_keeps_model(False) if request.keeps_model and not route.is_model else request


def _unopened(failure: Failure, cause: Cause | None) -> GatewayError:
    """What an answer without content failed with."""
    if cause is Cause.RESET:
        return UpstreamReset("Connection error.")
    if cause in (Cause.FIRST_TIMEOUT, Cause.DEADLINE):
        return UpstreamTimeout("Request timed out.")
    if cause is Cause.SHUTDOWN:
        return ShuttingDown("The gateway is shutting down.", retry_after=1)
    return UpstreamBroken(failure)


def _held(seconds: float) -> UpstreamError:
    body = b'{"error":{"message":"Rate limit reached upstream; retry after %d s."}}' % ceil(seconds)
    return UpstreamError(429, body, retry_after=seconds, retryable=False)


def _settle(attempt: Attempt, live: Live) -> None:
    attempt.ended = time.monotonic()
    answer = attempt.answer
    if live.cause is Cause.CLIENT_GONE:
        attempt.outcome = Outcome.CLIENT_ABORT
    elif live.cause is Cause.CLIENT_SLOW:
        attempt.outcome = Outcome.CLIENT_SLOW
    elif live.cause is Cause.SHUTDOWN:
        attempt.outcome = Outcome.SHUTDOWN
    elif attempt.error is not None:
        cut = attempt.error.code in (Cause.EOF, Cause.RESET)
        attempt.outcome = Outcome.TRUNCATED if cut and answer is not None else Outcome.UPSTREAM_ERROR
    else:
        attempt.outcome = Outcome.OK if answer is not None and answer.complete else Outcome.GATEWAY_ERROR


def outcome_of(exchange: Exchange, cause: Cause | None) -> Outcome:
    """How the exchange ended: as its last attempt did, or before there was one."""
    if exchange.attempts and exchange.attempts[-1].outcome is not None:
        return exchange.attempts[-1].outcome
    if cause is Cause.CLIENT_GONE:
        return Outcome.CLIENT_ABORT
    if exchange.error is not None and exchange.error.status < 500:
        return Outcome.REJECTED
    return Outcome.GATEWAY_ERROR
