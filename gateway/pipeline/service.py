"""Serves exchanges: every one is answered, accounted for and let go, whatever happens to it."""

import asyncio
import logging
import os
import time
from collections.abc import Callable

import msgspec

from gateway.domain import Exchange, Principal
from gateway.domain import Scope as PrincipalScope
from gateway.egress import Capture
from gateway.errors import (
    AmbiguousCredentials,
    GatewayError,
    Overloaded,
    ShuttingDown,
    Unauthenticated,
    UpstreamFault,
)
from gateway.events import Cause
from gateway.pipeline.addresses import Addresses
from gateway.pipeline.admission import Admission
from gateway.pipeline.body import ClientLeft, read_body
from gateway.pipeline.calls import Calls
from gateway.pipeline.credentials import credentials_of
from gateway.pipeline.explain import explain
from gateway.pipeline.explanation import Explanation, Question
from gateway.pipeline.headers import answer_headers, forwarding, strict
from gateway.pipeline.hiding import secrets_of
from gateway.pipeline.limiting import Limiting
from gateway.pipeline.live import Live
from gateway.pipeline.mapping import render
from gateway.pipeline.names import AnswerNames
from gateway.pipeline.outcomes import outcome_of
from gateway.pipeline.outlet import Outlet
from gateway.pipeline.patience import Patience
from gateway.pipeline.pump import SLOW_CLIENT
from gateway.pipeline.recall import hold_to_maker, recalled
from gateway.pipeline.router import Router
from gateway.pipeline.settled import let_go, tell_settled
from gateway.pipeline.stages import authenticate, go_on, look_up, transform
from gateway.pipeline.strangers import Strangers
from gateway.protocols import ClientDialect, Hedges, Logger, Receive, Scope, Send
from gateway.routing import Health
from gateway.runtime import Faults, Generation, Generations
from gateway.usage import Journal, usage_record
from gateway.wire.ids import new_id

CLEANUP = 5.0
"""Seconds that stopped exchanges get to end visibly."""


class Pipeline:
    """One exchange at a time through its stages; many at once. Drained before anything it needs is closed."""

    def __init__(
        self,
        generations: Generations,
        usage: Journal,
        capture: Capture,
        *,
        body_limit: int,
        log: Logger,
        faults: Faults | None = None,
        secret: Callable[[], bytes] | None = None,
        exposes: bool = False,
        strict: bool = False,
        admission: Admission | None = None,
        strangers: Strangers | None = None,
    ) -> None:
        """`secret` proves the names of answers, and is the same in every process; without it, one of this process."""
        self._generations = generations
        self._usage = usage
        self._capture = capture
        self._body_limit = body_limit
        self._exposes = exposes
        self._strict = strict
        self._log = log
        self.faults = faults or Faults()
        """What plugins did wrong so far."""
        self._calls = Calls(self.faults, log)
        self._limiting = Limiting(self._calls)
        self._names = AnswerNames(secret or _process_secret())
        self._router = Router(self._calls, log, self._names, usage)
        self.admission = admission or Admission()
        self.strangers = strangers or Strangers(Addresses(), 0, log)
        self._settling: set[asyncio.Task[None]] = set()
        self._running: set[Live] = set()
        self._idle = asyncio.Event()
        self.draining = False
        """New exchanges are refused."""

    @property
    def in_flight(self) -> int:
        """How many exchanges run."""
        return len(self._running)

    @property
    def health(self) -> Health:
        """What is known of the upstreams."""
        return self._router.health

    @property
    def hedges(self) -> Hedges:
        """What became of second attempts."""
        return self._router.paces.counted

    async def serve(
        self, scope: Scope, receive: Receive, send: Send, dialect: ClientDialect, *, anonymous: Principal | None = None
    ) -> None:
        """Serve one exchange in a client dialect; with `anonymous` nobody has to authenticate."""
        refused = self.turning_away() or (self.strangers.refusal(scope) if anonymous is None else None)
        if refused is not None:
            await _turn_away(send, dialect, refused)
            return
        exchange = Exchange(new_id(), dialect.name)
        exchange.headers, exchange.clock = scope["headers"], getattr(dialect, "clock", "")
        generation = self._generations.pin()
        live = Live(exchange, Outlet(scope, send), generation, dialect)
        self._running.add(live)
        try:
            await self._answer(live, generation, scope, receive, dialect, anonymous)
        except asyncio.CancelledError:
            if not live.stopped():
                raise
            if live.cause is Cause.SHUTDOWN and not live.outlet.started:
                await self._refuse(live, dialect, ShuttingDown("The gateway is shutting down.", retry_after=1))
        finally:
            live.unwatch()
            self._running.discard(live)
            self._settle(live, generation)
            self._let_go(live, generation)
            if not self._running:
                self._idle.set()

    def is_full(self) -> bool:
        """One more exchange would be refused; nobody is counted as refused by asking."""
        return not self.draining and self.admission.is_full(len(self._running))

    def turning_away(self) -> Overloaded | None:
        """Why one more exchange is refused now; None when it is let in, or told something else."""
        return None if self.draining else self.admission.refusal(len(self._running))

    async def require(self, scope: Scope, required: PrincipalScope) -> Principal:
        """The caller of a request that is no exchange; raises what an exchange would be refused with."""
        if (refused := self.strangers.refusal(scope)) is not None:
            raise refused
        held = self._generations.hold()
        try:
            return await self._who(held.generation, scope, required)
        finally:
            self._generations.let_go(held)

    async def explain(self, scope: Scope, question: Question, *, asker: Principal | None = None) -> Explanation:
        """How a request would be answered, by the current generation; who asks by `scope` needs the scope `admin`."""
        held = self._generations.hold()
        try:
            asker = asker or await self._who(held.generation, scope, "admin")
            return await explain(held.generation, self._router, self._calls, self._capture, asker, question)
        finally:
            self._generations.let_go(held)

    async def forget(self, generation: Generation) -> None:
        """Close the provider clients of a generation that no exchange uses any more."""
        await self._router.clients.aclose(generation.number)

    def drain(self) -> None:
        """Refuse new exchanges from now on."""
        self.draining = True

    async def drained(self, timeout: float, hurry: asyncio.Event | None = None) -> None:
        """Wait for the running exchanges; those that take longer than `timeout` seconds are ended visibly.

        Nobody waits once `hurry` is set.
        """
        await self._wait_idle(timeout, hurry)
        for live in list(self._running):
            live.stop(Cause.SHUTDOWN)
        await self._wait_idle(CLEANUP)

    async def aclose(self) -> None:
        """Wait for what is still settled, then close the provider clients."""
        if self._settling:
            await asyncio.wait(self._settling)
        await self._router.clients.aclose()

    async def _answer(
        self,
        live: Live,
        generation: Generation,
        scope: Scope,
        receive: Receive,
        dialect: ClientDialect,
        anonymous: Principal | None,
    ) -> None:
        exchange = live.exchange
        try:
            if self.draining:
                raise ShuttingDown("The gateway is shutting down.", retry_after=1)
            body = await read_body(scope, receive, self._body_limit)
            live.watch(receive)
            calls = self._calls
            exchange.principal = anonymous or await self._who(generation, scope, "chat", exchange.timings)
            exchange.exposed = self._exposes or "admin" in exchange.principal.scopes
            exchange.request = forwarding(dialect.read_request(body), dialect, scope)
            if strict(exchange, always=self._strict):
                exchange.request = msgspec.structs.replace(exchange.request, strict=True)
            if exchange.request.answer:
                exchange.request = recalled(self._names, exchange.request, exchange.principal)
            exchange.route = await look_up(generation, exchange, calls)
            await self._limiting.admit(live)
            exchange.request = await transform(generation, exchange, calls)
            if exchange.request.answer:
                hold_to_maker(generation, exchange, calls)
            else:
                go_on(exchange, dialect, self._names)
            await self._router.run(live)
        except ClientLeft:
            live.cause = Cause.CLIENT_GONE
        except GatewayError as error:
            await self._refuse(live, dialect, error)
        except Exception as error:  # noqa: BLE001 - the last border: no traceback may reach a client
            self._log.error("internal_error", exchange=exchange.id, error=type(error).__name__, where=_where(error))
            await self._refuse(live, dialect, GatewayError("Internal error."))

    async def _who(
        self,
        generation: Generation,
        scope: Scope,
        required: PrincipalScope,
        timings: dict[str, float] | None = None,
    ) -> Principal:
        try:
            credentials = credentials_of(scope)
            principal = await authenticate(generation, credentials, required, self._calls, timings)
        except (AmbiguousCredentials, Unauthenticated):
            self.strangers.wrong(scope)
            raise
        self.strangers.right(credentials)
        return principal

    async def _refuse(self, live: Live, dialect: ClientDialect, error: GatewayError) -> None:
        live.exchange.error = error
        status, headers, body = render(dialect, error, secrets_of(live.exchange))
        live.outlet.start(status, (*headers, *answer_headers(live.exchange)), len(body))
        live.outlet.finish(body)
        await self._deliver(live)

    async def _deliver(self, live: Live) -> None:
        """Wait for the client to take the answer, but not for ever."""
        try:
            with Patience(SLOW_CLIENT):
                await live.outlet.drained()
        except TimeoutError:
            live.outlet.abandon()
            live.outlet.cut()

    def _settle(self, live: Live, generation: Generation) -> None:
        """Account for the exchange, exactly once: nothing here waits or fails."""
        exchange = live.exchange
        exchange.outcome = outcome_of(exchange, live.cause)
        exchange.answer = exchange.attempts[-1].answer if exchange.attempts else None
        exchange.status = live.outlet.status
        records = [usage_record(attempt) for attempt in exchange.attempts]
        for record in records:
            self._usage.settled(record)
        tell_settled(generation, exchange, records, self._calls)
        error = exchange.error or (exchange.attempts[-1].error if exchange.attempts else None)
        level = error.log_level if error else logging.DEBUG
        if self._log.enabled(level):
            self._tell(exchange, error, level)

    def _tell(self, exchange: Exchange, error: GatewayError | None, level: int) -> None:
        """One line for one exchange."""
        assert exchange.outcome is not None
        self._log.log(
            level,
            "exchange",
            exchange=exchange.id,
            surface=exchange.surface,
            outcome=exchange.outcome.value,
            route=exchange.route.name if exchange.route else None,
            principal=exchange.principal.id if exchange.principal else None,
            attempts=len(exchange.attempts),
            status=error.status if error else 200,
            code=error.code if error else None,
            detail=_detail(exchange),
            seconds=round(time.monotonic() - exchange.started, 4),
        )

    def _let_go(self, live: Live, generation: Generation) -> None:
        """Release the generation, once the limiters that let the exchange in have heard of its end."""
        if not live.acquired:
            self._forget(live.exchange, generation)
            return
        task = asyncio.get_running_loop().create_task(self._settle_limiters(live, generation))
        self._settling.add(task)
        task.add_done_callback(self._settling.discard)

    async def _settle_limiters(self, live: Live, generation: Generation) -> None:
        try:
            await self._limiting.settle(live)
        finally:
            self._forget(live.exchange, generation)

    def _forget(self, exchange: Exchange, generation: Generation) -> None:
        self._generations.release(generation)
        let_go(exchange)

    async def _wait_idle(self, timeout: float, hurry: asyncio.Event | None = None) -> None:
        self._idle.clear()
        if not self._running:
            return
        ends = [asyncio.ensure_future(event.wait()) for event in (self._idle, hurry) if event is not None]
        try:
            await asyncio.wait(ends, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for end in ends:
                end.cancel()


async def _turn_away(send: Send, dialect: ClientDialect, error: GatewayError) -> None:
    """Refuse what never becomes an exchange; an overloaded gateway has no time to do more for it."""
    status, headers, body = dialect.error(error)
    raw = [(name.encode("ascii"), value.encode("latin-1")) for name, value in headers]
    named = [*raw, (b"content-length", b"%d" % len(body)), (b"x-request-id", new_id().encode())]
    await send({"type": "http.response.start", "status": status, "headers": named})
    await send({"type": "http.response.body", "body": body})


def _process_secret() -> Callable[[], bytes]:
    secret = os.urandom(32)
    return lambda: secret


def _detail(exchange: Exchange) -> str | None:
    """What the last attempt's upstream did, in words that are not for the client."""
    error = exchange.attempts[-1].error if exchange.attempts else None
    return error.detail or None if isinstance(error, UpstreamFault) else None


def _where(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}" if trace else ""
