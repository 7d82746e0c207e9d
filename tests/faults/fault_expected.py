"""What clients and the usage have to be told: the words that the table of faults is written in."""

from typing import Any

import msgspec
from fault_surfaces import Shape

from gateway.testing.told import Ending

OK, ERROR, TRUNCATED, LEFT = "ok", "upstream_error", "truncated", "client_abort"
REFUSED, TIMED_OUT = "Connection error.", "Request timed out."


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    """What one client is told, and what is accounted; None where any will do."""

    ending: Ending
    status: int = 200
    code: str | None = None
    """On the custom route, which has no codes, the message."""
    text: str | None = None
    retry_after: int | None = None
    outcomes: tuple[str, ...]
    """Of the attempts, in order."""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What the clients of all surfaces are told of a fault."""

    custom: Expected
    stream: Expected
    whole: Expected
    named: tuple[tuple[str, "Verdict"], ...] = ()
    """By the dialect of the upstream, where that one says it otherwise."""

    def of(self, shape: Shape) -> Expected:
        """What the clients of a surface are told."""
        verdict = dict(self.named).get(shape.dialect, self)
        if shape.surface == "custom":
            return verdict.custom
        return verdict.stream if shape.streamed else verdict.whole

    def but(self, **dialects: "Verdict") -> "Verdict":
        """The same, but for upstreams of these dialects."""
        return msgspec.structs.replace(self, named=tuple(dialects.items()))

    def with_custom(self, other: "Verdict") -> "Verdict":
        """The same, but for the custom route."""
        return msgspec.structs.replace(self, custom=other.custom)


def fine(text: str = "part", *, outcomes: tuple[str, ...] = (OK,)) -> Verdict:
    """A whole answer."""
    expected = Expected(ending=Ending.PROPER, text=text, outcomes=outcomes)
    return Verdict(custom=expected, stream=expected, whole=expected)


def refused(
    status: int, message: str | None, v1: int, code: str | None, *, tries: int = 1, outcome: str = ERROR, **more: Any
) -> Verdict:
    """A failure before the stream: what the custom route says, and what the others do."""
    outcomes = (outcome,) * tries
    custom = Expected(ending=Ending.REFUSED, status=status, code=message, outcomes=outcomes, **more)
    other = Expected(ending=Ending.REFUSED, status=v1, code=code, outcomes=outcomes, **more)
    return Verdict(custom=custom, stream=other, whole=other)


def cut(code: str | None, *, outcome: str = TRUNCATED, whole: Verdict | None = None) -> Verdict:
    """A failure in the middle: the custom route is cut, streams say it.

    Of a whole answer nothing has gone out, so it is tried again, and refused in the end.
    """
    return Verdict(
        custom=Expected(ending=Ending.CUT, text="part", outcomes=(outcome,)),
        stream=Expected(ending=Ending.ERROR, code=code, text="part", outcomes=(outcome,)),
        whole=(whole or refused(502, None, 502, code, tries=3, outcome=outcome)).whole,
    )
