"""What a client speaks: the half of a dialect that a surface reads and writes."""

from collections.abc import Sequence
from typing import Final, Protocol

from gateway.errors import GatewayError, Headers
from gateway.events import Answer, Event, Failure
from gateway.requests import ChatRequest

ABORT: Final = None
"""What a writer's `failure` returns when only cutting the connection can say it."""


class Writer(Protocol):
    """Writes events of one attempt for the client; synchronous, may keep state.

    Optional attribute `joins`: True where texts of the first choice just follow each other in what it writes, so that
    many of them may come as one.
    """

    def write(self, events: Sequence[Event]) -> bytes:
        """Many events, one bytes object; a proper end is the last event, `End`."""
        ...

    def failure(self, failure: Failure) -> bytes | None:
        """The visible end of a broken stream, or `ABORT`; usable when the writer has seen nothing."""
        ...


class AnswerWriter(Writer, Protocol):
    """A writer of a dialect that upstreams speak as well, and whose clients may ask for a whole answer."""

    end_marker: bytes
    """What ends a stream of the same dialect where the upstream left it out; empty where the dialect has none."""
    ping: bytes
    """A keep-alive that says nothing; empty where the dialect has none."""

    def answer(self, answer: Answer) -> bytes:
        """The body of the whole answer, which `answer.collected` holds."""
        ...


class ClientDialect(Protocol):
    """The client half of a wire format: what one surface reads and writes.

    Optional attributes: `forwards`, names of client headers that upstreams of the same dialect see; `clock`, the header
    in which answers tell how many milliseconds they took.
    """

    name: str
    headers: Headers
    """Of a successful stream, content type included."""
    lenient: bool
    """Whether invalid UTF-8 from upstream becomes U+FFFD (True) or breaks the stream (False)."""

    def read_request(self, body: bytes) -> ChatRequest:
        """The request; raises `InvalidRequest` saying what is wrong and where."""
        ...

    def writer(self, request: ChatRequest, upstream: str) -> Writer:
        """A fresh writer for an answer of the upstream dialect of that name."""
        ...

    def error(self, error: GatewayError) -> tuple[int, Headers, bytes]:
        """Status, headers and body of a failure before the stream."""
        ...
