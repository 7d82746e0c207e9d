"""What plugins provide and what they get: typed, and importing nothing heavy.

Objects are made once, while a generation is assembled, by the plain functions of `gateway.hookspecs`;
then their async methods serve requests.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Final, Protocol, TypeAlias

from gateway.domain import Attempt, Credentials, Model, Principal, Route, Timeouts, UsageRecord
from gateway.errors import GatewayError, Headers
from gateway.events import Event, Failure, Frame
from gateway.requests import ChatRequest

Scope: TypeAlias = Mapping[str, Any]
Message: TypeAlias = dict[str, Any]
Receive: TypeAlias = Callable[[], Any]
Send: TypeAlias = Callable[[Message], Any]


# -- stages of an exchange ---------------------------------------------------------------------------------------------


class Authenticator(Protocol):
    """Tells who calls."""

    async def authenticate(self, credentials: Credentials) -> Principal | None:
        """The caller; None = these are not my credentials, ask the next. Raise `Unauthenticated` to refuse."""
        ...


class ModelLookup(Protocol):
    """Finds what a name stands for."""

    async def find(self, name: str, principal: Principal) -> Route | None:
        """The route of that name, or None = not mine, ask the next.

        Raise `ModelNotFound(text)` for None with words: the first such text is used if nobody answers.
        Raise `LookupFailed` when the backend cannot be asked. Ownership is checked again by the core.
        """
        ...


class Provider(Protocol):
    """Speaks one upstream dialect."""

    name: str

    def connect(self, model: Model) -> "ProviderClient":
        """A client for this base URL and credential; kept in a bounded cache by `Model.tenant`, closed on eviction."""
        ...


class ProviderClient(Protocol):
    """Opens answers at one upstream with one credential."""

    async def open(self, request: ChatRequest, attempt: Attempt) -> "Upstream":
        """Send the request and return once the response's head is there.

        Raise `UpstreamError(status, body, headers)` for an error answer, or any exception an error mapper knows.
        Cancellation must close the connection at once.
        """
        ...

    async def aclose(self) -> None:
        """Close what the client holds."""
        ...


class ErrorMapper(Protocol):
    """Turns foreign exceptions into the gateway's error tree."""

    def map(self, error: Exception, attempt: Attempt | None) -> GatewayError | None:
        """The gateway's error for this one, None = ask the next. Synchronous and total: it never raises."""
        ...


class UsageSink(Protocol):
    """Receives what attempts consumed, in batches, off the request's path."""

    async def write(self, records: Sequence[UsageRecord]) -> None:
        """Store the records; the same attempt may come twice, so be idempotent by `attempt_id`."""
        ...


# -- what an upstream gives --------------------------------------------------------------------------------------------


class ByteSink(Protocol):
    """Takes an upstream's body as it arrives; called from the event loop, must not block."""

    def move(self, data: bytes) -> None:
        """The bytes of one read."""
        ...

    def end(self, error: GatewayError | None) -> None:
        """No more bytes: None after a complete HTTP message, else what happened. Called once."""
        ...


class ByteStream(Protocol):
    """One upstream response whose head has arrived. Take the body once: by `start` or by `read`."""

    status: int
    headers: Headers
    """In the order received, names in lower case."""

    def start(self, sink: ByteSink) -> None:
        """Push the body into `sink`: what already arrived first, at once."""
        ...

    def pause(self) -> None:
        """Stop reading from the upstream until `resume()`."""
        ...

    def resume(self) -> None:
        """Read on."""
        ...

    async def read(self, limit: int) -> bytes:
        """The whole body; raises `UpstreamBroken` above `limit` bytes, `UpstreamReset` when it is cut."""
        ...

    def close(self) -> None:
        """Give the connection back if the message is complete, else close it at once. May be called twice."""
        ...


class ByteUpstream:
    """An answer as bytes in a dialect: what nearly every provider returns."""

    __slots__ = ("body", "dialect")

    def __init__(self, dialect: "UpstreamDialect", body: ByteStream) -> None:
        self.dialect = dialect
        self.body = body


class EventUpstream:
    """An answer as events, for providers that have no bytes to show."""

    __slots__ = ("events",)

    def __init__(self, events: AsyncIterator[Event]) -> None:
        self.events = events


Upstream: TypeAlias = ByteUpstream | EventUpstream


# -- dialects ----------------------------------------------------------------------------------------------------------


class Framing(Protocol):
    """Cuts an upstream's bytes into frames; one per attempt."""

    def feed(self, data: bytes) -> list[Frame]:
        """The frames that `data` completed; a partial one waits. Raises `FrameTooLarge` above its limit."""
        ...

    def end(self) -> list[Frame]:
        """What the end of a complete HTTP message completes."""
        ...


class Reader(Protocol):
    """Reads frames of one attempt as events; synchronous, may keep state."""

    def read(self, frame: Frame) -> list[Event]:
        """What the frame says, at least one `Opaque`. A frame it cannot read is a `Failure`."""
        ...


class UpstreamDialect(Protocol):
    """The upstream half of a wire format."""

    @property
    def name(self) -> str:
        """What `Writer`s are chosen by and usage is told by."""
        ...

    def framing(self, *, lenient: bool = False) -> Framing:
        """A fresh cutter; lenient replaces invalid UTF-8 by U+FFFD instead of refusing it."""
        ...

    def reader(self, *, lenient: bool = False) -> Reader:
        """A fresh reader; lenient ignores what the custom route's original ignored."""
        ...

    def write_request(self, request: ChatRequest, model: Model) -> bytes:
        """The body to send."""
        ...

    def read_answer(self, body: bytes, status: int) -> list[Event]:
        """A whole body that is no stream, as events: a completion, or one `Failure`."""
        ...


ABORT: Final = None
"""What a writer's `failure` returns when only cutting the connection can say it."""


class Writer(Protocol):
    """Writes events of one attempt for the client; synchronous, may keep state."""

    def write(self, events: Sequence[Event]) -> bytes:
        """Many events, one bytes object; a proper end is the last event, `End`."""
        ...

    def failure(self, failure: Failure) -> bytes | None:
        """The visible end of a broken stream, or `ABORT`; usable when the writer has seen nothing."""
        ...


class ClientDialect(Protocol):
    """The client half of a wire format: what one surface reads and writes."""

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


# -- what plugins get --------------------------------------------------------------------------------------------------


class Egress(Protocol):
    """The one door to upstreams: guarded, bounded, never through a proxy, never following a redirect."""

    async def send(
        self,
        method: str,
        url: str,
        *,
        headers: Headers = (),
        body: bytes = b"",
        tenant: bytes = b"",
        timeouts: Timeouts = Timeouts(),
        fresh: bool = False,
    ) -> ByteStream:
        """Send one request and return once the response's head is there, whatever its status.

        `url` is parsed as browsers do (WHATWG). Connections are pooled by `tenant` and origin; `fresh` dials anew.
        Raises `InvalidUpstreamUrl`, `UpstreamUnreachable` and its kinds, `UpstreamTimeout`.
        Cancelling closes the socket.
        """
        ...

    def httpx2_transport(self, *, tenant: bytes = b"", timeouts: Timeouts = Timeouts()) -> Any:
        """An `httpx2.AsyncBaseTransport` over this door, for libraries built on httpx2.

        The `ByteStream` of a response is at `response.extensions["egress"]`.
        """
        ...


class Logger(Protocol):
    """A logger bound to a plugin's name; keyword values are fields."""

    def log(self, level: int, event: str, **fields: object) -> None: ...
    def debug(self, event: str, **fields: object) -> None: ...
    def info(self, event: str, **fields: object) -> None: ...
    def warning(self, event: str, **fields: object) -> None: ...
    def error(self, event: str, **fields: object) -> None: ...


class Snapshot(Protocol):
    """The registry in memory: what lookups and key checks read."""

    generation: int

    def model(self, model_id: str) -> Model | None:
        """The enabled model with that id (canonical lower-case UUID)."""
        ...

    def models_named(self, name: str) -> Sequence[Model]:
        """The enabled models of that name, of all owners."""
        ...

    def principal(self, token: str) -> Principal | None:
        """Whom a virtual key stands for; None for malformed, unknown, revoked and expired ones alike."""
        ...


class Gateway(Protocol):
    """What every hook receives."""

    @property
    def settings(self) -> Any:
        """This plugin's own settings: an instance of its `Settings` class."""
        ...

    @property
    def egress(self) -> Egress: ...

    @property
    def snapshot(self) -> Snapshot:
        """The newest snapshot; ask anew each time."""
        ...

    @property
    def log(self) -> Logger: ...

    @property
    def serving(self) -> "Serving":
        """How and where the gateway is served."""
        ...

    async def serve(
        self,
        scope: Any,
        receive: Receive,
        send: Send,
        dialect: ClientDialect,
        *,
        anonymous: Principal | None = None,
    ) -> None:
        """Serve one exchange in a client dialect; with `anonymous` nobody has to authenticate and that is who calls."""
        ...


class Serving(Protocol):
    """How and where the gateway is served."""

    @property
    def host(self) -> str: ...

    @property
    def port(self) -> int: ...


Lifespan: TypeAlias = AbstractAsyncContextManager[None]
