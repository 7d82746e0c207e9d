"""What plugins get: the gateway as hooks see it."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Protocol, TypeAlias

from gateway.domain import Model, Principal, Route, Timeouts
from gateway.errors import Headers
from gateway.protocols.client import ClientDialect
from gateway.protocols.stats import Stats
from gateway.protocols.upstream import ByteStream

Scope: TypeAlias = Mapping[str, Any]
Message: TypeAlias = dict[str, Any]
Receive: TypeAlias = Callable[[], Any]
Send: TypeAlias = Callable[[Message], Any]


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

    def prepared(self, headers: Headers) -> Headers:
        """The same headers, for many requests: checked and written by the first of them."""
        ...

    def httpx2_transport(self, *, tenant: bytes = b"", timeouts: Timeouts = Timeouts()) -> Any:
        """An `httpx2.AsyncBaseTransport` over this door, for libraries built on httpx2.

        The `ByteStream` of a response is at `response.extensions["egress"]`.
        """
        ...


class Logger(Protocol):
    """A logger bound to a plugin's name; keyword values are fields."""

    def enabled(self, level: int) -> bool:
        """Whether anything of that level is written: what is costly to tell is only put together then."""
        ...

    def log(self, level: int, event: str, **fields: object) -> None: ...
    def debug(self, event: str, **fields: object) -> None: ...
    def info(self, event: str, **fields: object) -> None: ...
    def warning(self, event: str, **fields: object) -> None: ...
    def error(self, event: str, **fields: object) -> None: ...


class Snapshot(Protocol):
    """The registry in memory: what lookups and key checks read."""

    generation: int
    is_current: bool
    """False while the database is away: a name or a key that is not in here may be known there."""

    def model(self, model_id: str) -> Model | None:
        """The enabled model with that id (canonical lower-case UUID)."""
        ...

    def models_named(self, name: str) -> Sequence[Model]:
        """The enabled models of that name, of all owners."""
        ...

    def models(self) -> Sequence[Model]:
        """Every enabled model, of all owners."""
        ...

    def route(self, route_id: str) -> Route | None:
        """The enabled route with that id (canonical lower-case UUID)."""
        ...

    def routes_named(self, name: str) -> Sequence[Route]:
        """The enabled routes of that name, of all owners."""
        ...

    def routes(self) -> Sequence[Route]:
        """Every enabled route, of all owners."""
        ...

    def principal(self, token: str) -> Principal | None:
        """Whom a virtual key stands for; None for malformed, unknown, revoked and expired ones alike.

        Raises `Overloaded` for one that only the database may know, while that is away.
        """
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
    def database(self) -> Any:
        """The registry's open database, for the stores of `gateway.registry`; never used while a request is served."""
        ...

    @property
    def log(self) -> Logger: ...

    @property
    def serving(self) -> "Serving":
        """How and where the gateway is served."""
        ...

    @property
    def state(self) -> SimpleNamespace:
        """The plugin's own: what one of its hooks puts there, the others find; every generation begins with none."""
        ...

    @property
    def stats(self) -> Stats:
        """The numbers of this process now; ask anew each time."""
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

    @property
    def data_dir(self) -> Path:
        """What outlives the process; a plugin keeps files of its own in a directory there called as itself."""
        ...


Lifespan: TypeAlias = AbstractAsyncContextManager[None]
