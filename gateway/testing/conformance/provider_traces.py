"""What a provider leaves behind: no connection, no secret, no busy loop."""

from collections.abc import Mapping
from types import MappingProxyType

from gateway.runtime.blocking import LoopWatch
from gateway.testing.bench import Bench
from gateway.testing.canned import FAILURES, failing, half
from gateway.testing.conformance.evidence import Evidence, places_of
from gateway.testing.conformance.provider_base import ANYBODY, ProviderChecks
from gateway.testing.conformance.suite import cases, check, fail
from gateway.testing.upstream import Behaviour, Ending

_LONG_ERROR = Behaviour(
    status=503, headers=(("content-type", "text/plain"),), writes=(b"overloaded " * 1024,) * 32, pause=0.0
)
"""So long that its rest waits outside: whoever does not read it has to close it."""
_SILENCES: Mapping[str, int | None] = MappingProxyType(
    {"before_the_head": None, "before_the_first_event": 0, "in_the_stream": 1}
)


class TraceChecks(ProviderChecks):
    """What it leaves behind."""

    @cases(*_SILENCES)
    async def test_a_client_that_leaves_closes_the_upstream(self, phase: str) -> None:
        """When the exchange is cancelled, the upstream's socket closes at once, whatever it was doing."""
        canned = self.answer("text")
        count = half(canned.writes) if _SILENCES[phase] else 0
        silent = Behaviour(status=None, ending=Ending.HOLD)
        held = silent if _SILENCES[phase] is None else canned.behaviour(writes=count, ending=Ending.HOLD)
        async with self.bench() as bench:
            self.model(bench, phase, held)
            asked = bench.begin(phase, principal=ANYBODY)
            if not await bench.settled(lambda: bool(bench.upstream.seen(phase)), self.patience):
                fail("does not ask its upstream")
            if count:
                await bench.settled(lambda: bench.upstream.seen(phase)[0].writes >= count)
                await asked.until(lambda: bool(asked.said.text), self.patience)
            asked.leave()
            ended = await asked.ended(self.patience)
            closed = await bench.settled(lambda: bench.upstream.seen(phase)[0].closed_at is not None, self.patience)
        when = phase.replace("_", " ")
        if not ended:
            fail(f"swallows cancellation: the client left {when}, the exchange goes on; let `CancelledError` through")
        if not closed:
            fail(f"keeps the upstream busy: the client left {when} and the connection was not closed")

    @check
    async def test_lets_every_connection_go(self) -> None:
        """After answers and errors nothing stays open but what the gateway itself keeps for reuse."""
        text = self.answer("text")
        async with self.bench() as bench:
            for name, behaviour in {"fine": text.behaviour(), "long": _LONG_ERROR, **FAILURES}.items():
                await self.asked(bench, name, behaviour)
            await bench.settled(lambda: not _held(bench), self.patience)
            if count := _held(bench):
                fail(
                    f"keeps connections: {count} still in use after all answers have ended; "
                    "close the body of every answer, of error answers too"
                )

    @check
    async def test_goes_out_through_the_gateways_door(self) -> None:
        """Everything is sent by `gateway.egress`, which guards private addresses."""
        async with self.bench(allow=()) as bench:
            await self.asked(bench, "guarded", self.answer("text").behaviour())
            reached = bench.upstream.accepted
        if reached:
            fail("connects around the gateway: it reached an address egress forbids; send by `gateway.egress` only")

    @check
    async def test_its_key_is_in_no_error_and_no_log(self) -> None:
        """What a model's key opens is nobody's business: not the log's, not an error's, not a repr's."""
        text = self.answer("text")
        answers = {**FAILURES, "cut connection": failing(text, Ending.RESET), "whole answer": text.behaviour()}
        async with self.bench() as bench:
            with Evidence(bench) as evidence:
                for name, behaviour in answers.items():
                    asked = await self.asked(bench, name.replace(" ", ""), behaviour, key=evidence.canary)
                    for error, attempt in asked.raised:
                        evidence.note(f"the error for an upstream's {name}", error, attempt and attempt.error)
                    evidence.note("what the client got", asked.refusal, asked.failure)
                provider = self.under_test
                client = provider.connect(bench.model("repr", key=evidence.canary, provider=provider.name))
                evidence.note("the repr of its objects", provider, client)
                await client.aclose()
            if where := evidence.found():
                fail(f"leaks its key: {where} shows it; keep it in a `Secret` and reveal it in the request only")

    @check
    async def test_does_not_block_the_loop(self) -> None:
        """All exchanges share one event loop: whoever waits, waits with `await`."""
        async with self.bench() as bench:
            places = (*places_of(self.under_test), *(self.subject.places if self.plugin else ()))
            with LoopWatch(lambda: dict.fromkeys(places, "")) as watch:
                await self.asked(bench, "loop", self.answer("text").behaviour(pause=0.01))
        if watch.blocked:
            fail(f"blocks the event loop at {watch.blocked.where}; await, or use `asyncio.to_thread`")


def _held(bench: Bench) -> int:
    """Connections that are neither closed nor kept by the gateway for reuse."""
    kept = bench.egress.idle_connections
    return max(0, bench.egress.open_connections - kept, len(bench.upstream.open_connections) - kept)
