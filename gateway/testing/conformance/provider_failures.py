"""How a provider fails: with its upstream's own status, never as if all were well."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import msgspec

from gateway.errors import UpstreamTimeout, UpstreamUnreachable
from gateway.testing.bench import LIMITS
from gateway.testing.canned import FAILURES, chunk, data, failing
from gateway.testing.conformance.provider_base import ProviderChecks, got, told
from gateway.testing.conformance.suite import cases, check, fail, skip
from gateway.testing.upstream import Behaviour, Ending, stream

_CUTS: Mapping[str, Ending] = MappingProxyType(
    {"reset": Ending.RESET, "closed": Ending.CLOSE, "ended_too_early": Ending.COMPLETE}
)
_ERROR: Final = data({"error": {"message": "The engine fell over.", "type": "server_error"}})
_ERRORS_IN_STREAMS: Mapping[str, Behaviour] = MappingProxyType(
    {
        "error_at_once": stream(_ERROR, pause=0.0),
        "error_in_the_stream": stream(chunk({"content": "Hello"}), _ERROR, pause=0.0),
        "error_as_json": Behaviour(headers=(("content-type", "application/json"),), writes=(_ERROR[6:],)),
    }
)


class FailureChecks(ProviderChecks):
    """How it fails."""

    @cases(*FAILURES)
    async def test_tells_the_upstreams_status(self, status: str) -> None:
        """An error answer is an `UpstreamError` with its status, or an exception that its mapper makes one."""
        async with self.bench() as bench:
            asked = await self.asked(bench, f"status{status}", FAILURES[status])
            error = asked.error
        if error is None:
            fail(f"hides the upstream's error: the upstream answered {status}, and the client got {got(asked)}")
        if error.status != int(status):
            fail(f"changes the upstream's status: the upstream answered {status}, the client is told {told(error)}")

    @cases(*_CUTS)
    async def test_a_cut_answer_does_not_end_well(self, how: str) -> None:
        """An answer that breaks off is a failure for the client, never a shorter answer."""
        canned = self.answer("text")
        if len(canned.writes) < 2:
            skip("its dialect's answer 'text' has one write only and cannot be cut")
        async with self.bench() as bench:
            asked = await self.asked(bench, how, failing(canned, _CUTS[how]))
        if not asked.problem:
            text = asked.said.text
            fail(
                f"ends a cut stream cleanly: the upstream's connection was {how.replace('_', ' ')} after {text!r}, "
                "and the client got a proper end; let the error through, and yield `End` only when the upstream said so"
            )

    @cases(*_ERRORS_IN_STREAMS)
    async def test_an_error_with_status_200_is_told(self, name: str) -> None:
        """Upstreams report failures instead of an answer, or inside a stream that began well."""
        own = self.own_answers
        if own and name not in own:
            skip(f"its dialect's answer '{name}' is not declared")
        async with self.bench() as bench:
            asked = await self.asked(bench, name, own[name].behaviour() if own else _ERRORS_IN_STREAMS[name])
        if not asked.problem:
            fail(f"hides an error that the upstream reported with status 200: the client got {got(asked)}")

    @check
    async def test_an_unreachable_upstream_is_told(self) -> None:
        """Nobody listens: an error of the gateway's tree, not a bare exception."""
        async with self.bench() as bench:
            self.model(bench, "nobody")
            await bench.upstream.__aexit__(None, None, None)
            asked = await bench.ask("nobody")
            error = asked.error
            await bench.upstream.__aenter__()
        if not isinstance(error, UpstreamUnreachable):
            fail(f"nobody listened, and the client is told {told(error)} instead of `UpstreamUnreachable`")

    @check
    async def test_a_silent_upstream_is_left(self) -> None:
        """The model's limits of time count, and the connection is closed when they are over."""
        limits = msgspec.structs.replace(LIMITS, first=0.3)
        async with self.bench() as bench:
            asked = await self.asked(bench, "silent", Behaviour(status=None, ending=Ending.HOLD), timeouts=limits)
            error = asked.error
            closed = await bench.settled(lambda: not bench.upstream.open_connections, self.patience)
        if not isinstance(error, UpstreamTimeout):
            fail(f"the upstream stayed silent, and the client is told {told(error)} instead of `UpstreamTimeout`")
        if not closed:
            fail("keeps the connection to an upstream that was given up: let `CancelledError` through")
