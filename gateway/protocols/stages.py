"""The stages of an exchange: what plugins provide."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol, TypeAlias

from gateway.domain import Attempt, Credentials, Exchange, Model, Principal, Route, UsageRecord
from gateway.errors import GatewayError
from gateway.events import End, Event, Failure, Finish, Start, Usage
from gateway.protocols.upstream import Upstream
from gateway.requests import ChatRequest


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
    """Speaks to one kind of upstream.

    Optional attribute `speaks`: the names of the client dialects (`ChatRequest.dialect`) whose requests its clients
    send as they are. Without it, it is asked chats alone, and none with fields that bind them to their dialect.
    Where that hangs on the model, the optional method `speaks_for(model)` says them instead.
    """

    name: str

    def connect(self, model: Model) -> "ProviderClient":
        """A client for this base URL and credential; kept in a bounded cache by `Model.tenant`, closed on eviction."""
        ...


class ProviderClient(Protocol):
    """Opens answers at one upstream with one credential."""

    async def open(self, request: ChatRequest, attempt: Attempt) -> Upstream:
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


class Limiter(Protocol):
    """Decides whether an exchange may go on, by what it would take.

    Optional method `concerns(exchange)`: False for an exchange that it does not limit: it is then neither asked nor
    told, and costs nothing. It must not block. Headers for the answer go into `exchange.added_headers`.

    Optional attribute `ailing`: what it does without for now, in a few words that anybody may read, such as a server
    that counts for all; empty while all is well. It is told by `/health/ready`, `/admin/health` and the metrics.

    Optional method `left(exchange)`: what the caller of this exchange has left, by name, for `gateway explain`. It
    reserves nothing and must not block.
    """

    async def acquire(self, exchange: Exchange) -> None:
        """Reserve what the exchange needs; raise a `GatewayError`, such as `RateLimited`, to refuse it.

        Principal, request and route are known. What was reserved before a refusal is settled like everything else.
        """
        ...

    async def settle(self, exchange: Exchange) -> None:
        """Replace the reservation by what was used; called once for every `acquire` that returned.

        Read `exchange.outcome`, `exchange.answer` and its usage. The client has its answer by then, and does not wait;
        a next request that comes at once waits for the settlement, for a quarter of a second at most.
        """
        ...


class RoutingStrategy(Protocol):
    """Orders a route's models.

    The core has already left out those whose conditions do not hold or that are too small for the request, and asks
    once for each group of one priority: `route.targets` is such a group, `route.terms_of(model).weight` its weights.

    Optional argument `exchange` of `order`, with a default: who calls, and `exchange.header(name)`. Only a strategy
    that names it is given it.
    """

    name: str
    """What `Route.strategy` calls it."""

    def order(self, route: Route, request: ChatRequest, health: "HealthView") -> Sequence[Model]:
        """The models to try, first to last; a subset is allowed, an empty one means the route cannot serve this."""
        ...


class HealthView(Protocol):
    """What is known of upstreams, to look at."""

    def cooling(self, model: Model) -> bool:
        """Whether the model failed lately and is better left alone."""
        ...

    def in_flight(self, model: Model) -> int:
        """How many attempts at the model run now, in this process."""
        ...

    def latency(self, model: Model) -> float | None:
        """Seconds from the dial to the first content, lately (a moving average); None = not known yet."""
        ...


class RequestTransform(Protocol):
    """Changes requests before they are sent, or refuses them.

    A request that is no chat (embeddings, images, audio) has `is_chat` False and no `prompt`: a transform that asks for
    it all the same is passed by, and one that guards refuses the request.

    Optional attributes: `on_error = "fail"` (default: the client gets `plugin_error`) or `"skip"` (go on with the
    request as it was); `guard = True` for one that protects: it never skips, and the gateway does not start without.
    """

    async def transform(self, request: ChatRequest, exchange: Exchange) -> ChatRequest:
        """The request to send; the same object when there is nothing to change. Raise a `GatewayError` to refuse."""
        ...


Step: TypeAlias = Callable[[list[Event]], list[Event]]
"""What one read brought -> what goes on; the same list = unchanged."""
AsyncStep: TypeAlias = Callable[[list[Event]], Awaitable[list[Event]]]
"""The same for a step that waits; costs the exchange a task."""


class StreamTransform(Protocol):
    """Changes answers as they pass; the same optional attributes as `RequestTransform`."""

    def start(self, exchange: Exchange) -> Step | AsyncStep | None:
        """A fresh step for one attempt's answer, None = not this one.

        Events are changed by `msgspec.structs.replace`, never in place. Every stream ends with one `End` or `Failure`:
        a step that holds text back gives it out when it sees another part, `Finish`, `End` or `Failure`.
        """
        ...


class StreamObserver(Protocol):
    """Looks at answers as they pass; cannot change anything.

    Optional method `first_content(exchange)`: called when the first content of an answer goes to the client, once for
    every exchange that has one; `exchange.attempts[-1]` is the attempt that brought it. It must not block.

    Optional method `settled(exchange, records)`: called once for every exchange of its generation, whatever became of
    it, when everything is known, with the usage record of each attempt. It must not block.
    """

    @property
    def wants(self) -> frozenset[type[Event]]:
        """The events to be told; `OBSERVED`, which is meant where there is none, costs nothing for a chunk of text."""
        ...

    def start(self, exchange: Exchange) -> Callable[[Sequence[Event]], None] | None:
        """A callback for one attempt's answer, None = not this one; it must not block."""
        ...


OBSERVED: Final[frozenset[type[Event]]] = frozenset({Start, Usage, Finish, End, Failure})
"""What observers are told by default: everything but the content."""
