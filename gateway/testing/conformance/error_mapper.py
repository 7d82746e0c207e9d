"""What every error mapper has to do: answer for what it knows, never raise, never tell secrets."""

import asyncio
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from gateway import errors
from gateway.domain import Attempt, Model
from gateway.errors import GatewayError, UpstreamError
from gateway.protocols import ErrorMapper
from gateway.runtime import Generation, Registered
from gateway.secrets import Secret
from gateway.testing.asked import chat_request
from gateway.testing.bench import exchange_of
from gateway.testing.conformance.evidence import Evidence
from gateway.testing.conformance.suite import Conformance, check, fail

_MODEL: Final = Model(id="1", name="m", model_id="m", base_url="http://127.0.0.1:1/v1", api_key=Secret("sk-kit"))


class ErrorMapperConformance(Conformance):
    """Shows a mapper every kind of exception there is, and some that should not be."""

    kind = "error-mapper"
    stage = "error_mappers"
    capability_names = frozenset({"catch_all"})

    def with_object(self, generation: Generation, made: Any) -> Generation:
        """The mapper alone."""
        return msgspec.structs.replace(generation, error_mappers=(Registered[ErrorMapper]("plugin", made),))

    def mapped(self, error: Exception, attempt: Attempt | None) -> GatewayError | None:
        """What the mapper makes of it; ends the check when it raises."""
        mapper: ErrorMapper = self.under_test
        try:
            result: object = mapper.map(error, attempt)
        except Exception as fault:  # noqa: BLE001 - this is what the check is about
            fail(f"raises in `map`: {type(fault).__name__} for a {type(error).__name__}; return None instead")
        if asyncio.iscoroutine(result):
            result.close()
            fail("`map` is async: it is called in the middle of a failure and must answer at once")
        if result is not None and not isinstance(result, GatewayError):
            fail(f"`map` returned {type(result).__name__} for a {type(error).__name__}, not a GatewayError or None")
        return result

    @check
    async def test_never_raises(self) -> None:
        """It is total: whatever went wrong, with or without an attempt."""
        async with self.bench():
            for error in _errors():
                for attempt in (None, _attempt()):
                    self.mapped(error, attempt)

    @check
    async def test_keeps_an_error_an_error(self) -> None:
        """A failure never becomes a success."""
        async with self.bench():
            for error in _errors():
                result = self.mapped(error, _attempt())
                if result is not None and not 400 <= result.status <= 599:
                    fail(f"makes a {type(error).__name__} status {result.status}; failures are 400 to 599")

    @check
    async def test_leaves_what_it_does_not_know(self) -> None:
        """An exception it has never seen belongs to the next mapper, or to the built-in rule."""
        if self.explicit and "catch_all" in self.claimed():
            return
        async with self.bench():
            result = self.mapped(_StrangeError("strange"), _attempt())
        if result is not None:
            fail(
                f"maps an exception it cannot know to {type(result).__name__} and hides the mappers after it; "
                "return None, or declare the capability 'catch_all'"
            )

    @check
    async def test_tells_no_secret(self) -> None:
        """Upstreams and libraries quote keys in their texts; the client must not see them."""
        with Evidence() as evidence:
            async with self.bench():
                model = msgspec.structs.replace(_MODEL, api_key=Secret(evidence.canary))
                attempt = exchange_of(chat_request("m"), model).attempts[0]
                quoted = f"Error calling http://upstream/?key={evidence.canary}: bearer {evidence.canary} refused"
                for error in (RuntimeError(quoted), ConnectionError(quoted), OSError(1, quoted), TimeoutError(quoted)):
                    result = self.mapped(error, attempt)
                    if result is not None:
                        evidence.note(f"the error for a {type(error).__name__}", result.message, result.code)
            if where := evidence.found():
                fail(f"leaks a key: {where} quotes the library's text, which held it; write a text of your own")

    @check
    async def test_leaves_the_error_as_it_is(self) -> None:
        """Others look at the same exception: it is not changed."""
        async with self.bench():
            error = UpstreamError(429, b"{}", (("retry-after", "7"),))
            before = (error.status, error.body, tuple(error.headers), error.retryable, error.message)
            self.mapped(error, _attempt())
            if before != (error.status, error.body, tuple(error.headers), error.retryable, error.message):
                fail("mutates the exception it was shown; make a new error")


class _StrangeError(Exception):
    """An exception of nobody's."""


class _HostileError(Exception):
    """Raises wherever one looks."""

    def __str__(self) -> str:
        raise RuntimeError("no text")

    @property
    def response(self) -> object:
        """Raises, as half-made exceptions of libraries do."""
        raise RuntimeError("no response")

    @property
    def status_code(self) -> object:
        """Raises, as half-made exceptions of libraries do."""
        raise AttributeError("no status")


def _errors() -> Iterator[Exception]:
    yield from (ValueError("x"), KeyError("x"), TimeoutError(), ConnectionResetError(), OSError(2, "x"), Exception())
    yield from (
        _StrangeError("x"),
        _HostileError(),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "x"),
        ExceptionGroup("x", [ValueError()]),
    )
    for status in (400, 401, 403, 404, 408, 409, 418, 422, 429, 500, 503, 529):
        yield UpstreamError(status, b"\xff not json", (("x-odd", "\udc80"),))
    for name in ("UpstreamUnreachable", "UpstreamTlsError", "UpstreamRedirect", "UpstreamReset", "UpstreamTimeout"):
        kind: type[GatewayError] = getattr(errors, name)
        yield kind("x")
    ring = ValueError("a ring")
    ring.__cause__ = TypeError("of causes")
    ring.__cause__.__cause__ = ring
    yield ring
    odd = RuntimeError("with a status")
    odd.status_code = "many"  # type: ignore[attr-defined]
    odd.response = object()  # type: ignore[attr-defined]
    yield odd


def _attempt() -> Attempt:
    return exchange_of(chat_request("m"), _MODEL).attempts[0]
