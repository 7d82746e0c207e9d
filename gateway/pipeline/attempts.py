"""One call to one model: opened, relayed, judged and accounted for."""

import asyncio

import msgspec

from gateway.cancellation import StrayCancellation, cancelled_by_us
from gateway.domain import Attempt, Model, Reason
from gateway.errors import (
    GatewayError,
    Headers,
    ShuttingDown,
    UpstreamBroken,
    UpstreamError,
    UpstreamReset,
    UpstreamTimeout,
)
from gateway.events import Cause, Failure
from gateway.pipeline.calls import Calls
from gateway.pipeline.clients import ClientCache
from gateway.pipeline.lanes import relay_for
from gateway.pipeline.live import Live
from gateway.pipeline.mapping import map_error
from gateway.pipeline.names import AnswerNames
from gateway.pipeline.observers import start_observers
from gateway.pipeline.outcomes import settle_attempt
from gateway.pipeline.patience import Patience
from gateway.pipeline.plain import plain_relay
from gateway.pipeline.pump import Pump
from gateway.pipeline.race import Race
from gateway.pipeline.recall import naming_of
from gateway.pipeline.steps import start_steps
from gateway.pipeline.waiting import WaitingPump
from gateway.protocols import ByteUpstream, Upstream
from gateway.routing import Health
from gateway.usage import Journal

WHOLE: Headers = (("content-type", "application/json"),)
"""Of an answer that is no stream."""


class Attempts:
    """Makes attempts; each is told to health when it begins, when its content comes and when it ends."""

    def __init__(self, calls: Calls, clients: ClientCache, health: Health, names: AnswerNames, usage: Journal) -> None:
        self._calls = calls
        self._clients = clients
        self._health = health
        self._names = names
        self._usage = usage

    def begin(self, live: Live, model: Model, reason: Reason) -> Attempt:
        """One more attempt of the exchange: from now on health knows of it, until it is settled."""
        attempts = live.exchange.attempts
        attempt = Attempt(live.exchange, model, len(attempts) + 1, reason)
        attempts.append(attempt)
        self._health.began(attempt)
        return attempt

    def settle(self, live: Live, attempt: Attempt) -> None:
        """It has ended; said once, whoever says it first."""
        if attempt.ended is None:
            settle_attempt(attempt, live)
            self._health.settled(attempt)

    async def run(self, live: Live, attempt: Attempt, race: Race | None = None) -> GatewayError | None:
        """None when the answer went to the client, the error when nothing did."""
        assert live.exchange.request is not None
        request = attempt.request = msgspec.structs.replace(live.exchange.request)
        self._usage.began(attempt)
        try:
            if self._usage.durable:
                await self._usage.committed()
            with self._clients.lease(live.generation, attempt.model) as client:
                with Patience(attempt.model.timeouts.first):
                    upstream = await client.open(request, attempt)
                if isinstance(upstream, ByteUpstream):
                    attempt.upstream_headers = upstream.body.headers
                await self._relay(live, attempt, upstream, race)
        except TimeoutError:
            attempt.error = UpstreamTimeout("Request timed out.")
        except asyncio.CancelledError:
            if cancelled_by_us():
                raise
            attempt.error = map_error(live.generation, StrayCancellation(), attempt, self._calls)
        except Exception as error:  # noqa: BLE001 - a named border: the upstream attempt
            attempt.error = map_error(live.generation, error, attempt, self._calls)
            if isinstance(attempt.error, UpstreamError):
                attempt.upstream_headers = attempt.error.headers
        finally:
            if race is None or race.winner is attempt:
                live.pump = None
            self.settle(live, attempt)
        return None if attempt.first_content is not None else attempt.error

    async def _relay(self, live: Live, attempt: Attempt, upstream: Upstream, race: Race | None) -> None:
        """Move the answer; raises what it failed with when nothing of it went out."""
        pump = self._pump(live, attempt, upstream, race)
        if isinstance(upstream, ByteUpstream):
            await pump.run_bytes(upstream.body)
        else:
            await pump.run_events(upstream)
        live.cause = live.cause or (pump.cause if pump.cause in (Cause.CLIENT_SLOW, Cause.SHUTDOWN) else None)
        assert attempt.answer is not None
        failure = attempt.answer.failure
        if attempt.first_content is None and pump.error is not None:
            raise pump.error
        if failure is None:
            return
        if attempt.first_content is not None:
            attempt.error = UpstreamBroken(failure)
        else:
            raise _unopened(failure, pump.cause)

    def _pump(self, live: Live, attempt: Attempt, upstream: Upstream, race: Race | None) -> Pump:
        exchange, dialect, calls = live.exchange, live.dialect, self._calls
        request = exchange.request
        assert request is not None
        try:
            if race is not None:
                race.turn_to(attempt)
            steps = start_steps(live.generation, exchange, calls) if request.is_chat else None
            observers = start_observers(live.generation, exchange, calls)
            if request.is_chat:
                naming = self._names.of(attempt, dialect, request)
                defaults = attempt.model.parameters
                relay = relay_for(
                    upstream, dialect, request, steps=steps, observers=observers, naming=naming, defaults=defaults
                )
            else:
                told = naming_of(self._names, attempt, request)
                relay = plain_relay(upstream, dialect, request, observers=observers, naming=told)
            attempt.answer, attempt.lane, relay.exchange = relay.answer, relay.lane, exchange
            kind = WaitingPump if relay.waits else Pump
            headers = relay.headers if relay.headers is not None else WHOLE if relay.whole else dialect.headers
            if race is None:
                live.pump = pump = kind(attempt, relay, live.outlet, headers, self._health.answered)
            else:
                pump = kind(attempt, relay, live.outlet, headers, race.win)
                race.join(attempt, pump)
        except BaseException:
            if isinstance(upstream, ByteUpstream):
                upstream.body.close()
            raise
        return pump


def _unopened(failure: Failure, cause: Cause | None) -> GatewayError:
    """What an answer without content failed with."""
    if cause is Cause.RESET:
        return UpstreamReset("Connection error.")
    if cause in (Cause.FIRST_TIMEOUT, Cause.DEADLINE):
        return UpstreamTimeout("Request timed out.")
    if cause is Cause.SHUTDOWN:
        return ShuttingDown("The gateway is shutting down.", retry_after=1)
    return UpstreamBroken(failure)
