"""A pipeline behind a real server, in front of a real upstream; the registry and the plugins are this file's."""

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
import uvicorn
from kept_log import Log

from gateway import (
    Authenticator,
    ByteUpstream,
    ErrorMapper,
    GatewayError,
    Hedge,
    Model,
    ModelLookup,
    Principal,
    Provider,
    Route,
    RouteOptions,
    RoutingStrategy,
    UpstreamError,
)
from gateway.egress import EgressClient, EgressPolicy
from gateway.errors import Headers
from gateway.events import Event, Failure, Text
from gateway.pipeline import Pipeline
from gateway.protocols import ABORT
from gateway.requests import ChatRequest
from gateway.runtime import Generation, Generations, Registered
from gateway.server import HttpProtocol
from gateway.testing.client import RawClient
from gateway.testing.upstream import ScriptedUpstream
from gateway.usage import UsageJournal
from gateway.wire.chat import CHAT


class Plain:
    """A client dialect that writes text; a broken stream is told in words, or by a cut."""

    name = "plain"
    lenient = True

    def __init__(self, *, tells: bool, headers: Headers) -> None:
        self._tells = tells
        self.headers = headers

    def read_request(self, body: bytes) -> ChatRequest:
        name = body.decode() or "m"
        fields = {"model": msgspec.Raw(b'"m"'), "messages": msgspec.Raw(b"[]"), "stream": msgspec.Raw(b"true")}
        return ChatRequest(dialect="chat", model=name, stream=True, fields=fields)

    def writer(self, request: ChatRequest, upstream: str) -> "Plain":
        return self

    def write(self, events: Sequence[Event]) -> bytes:
        return b"".join(event.text.encode() for event in events if isinstance(event, Text))

    def failure(self, failure: Failure) -> bytes | None:
        return b"!" + failure.code.encode() if self._tells else ABORT

    def error(self, error: GatewayError) -> tuple[int, list[tuple[str, str]], bytes]:
        return error.status, [("content-type", "text/plain")], f"{error.code}: {error.message}".encode()


class Direct:
    """The plainest provider: the chat dialect straight through egress."""

    name = "openai"

    def __init__(self, egress: EgressClient) -> None:
        self._egress = egress

    def connect(self, model: Model) -> "Direct":
        return self

    async def open(self, request: ChatRequest, attempt: Any) -> ByteUpstream:
        model = attempt.model
        body = CHAT.write_request(request, model)
        url = f"{model.base_url}/chat/completions"
        response = await self._egress.send("POST", url, body=body, tenant=model.tenant, timeouts=model.timeouts)
        if response.status >= 400:
            raise UpstreamError(response.status, await response.read(1 << 20), response.headers)
        return ByteUpstream(CHAT, response)

    async def aclose(self) -> None:
        pass


class Open:
    """Everybody may come in."""

    async def authenticate(self, credentials: Any) -> Principal:
        return Principal("test", unrestricted=True)


class Names:
    """Routes by name."""

    def __init__(self) -> None:
        self.routes: dict[str, Route] = {}

    async def find(self, name: str, principal: Principal) -> Route | None:
        return self.routes.get(name)


class Records:
    """A usage sink that keeps what it gets."""

    def __init__(self) -> None:
        self.all: list[Any] = []

    async def write(self, records: Sequence[Any]) -> None:
        self.all.extend(records)


class House:
    """What a test may touch."""

    def __init__(self, upstream: ScriptedUpstream, port: int, pipeline: Pipeline, names: Names, log: Log) -> None:
        self.upstream = upstream
        self.pipeline = pipeline
        self.names = names
        self.log = log
        self.client = RawClient("127.0.0.1", port)
        self.records = Records()

    def model(self, name: str, *behaviours: Any, route: str | None = None, **more: Any) -> Model:
        """A model whose upstream plays these behaviours, found by its name."""
        base_url = self.upstream.play(name, *behaviours)
        model = Model(id=name, name=name, model_id=f"{name}-id", base_url=base_url, **more)
        self.names.routes[name] = Route.of(model)
        return model

    def route(self, name: str, *models: Model, strategy: str = "ordered", hedge: Hedge | None = None) -> None:
        """Several models behind one name."""
        self.names.routes[name] = Route(name, models, strategy, options=RouteOptions(hedge=hedge))

    async def ask(self, name: str):
        """Ask and read the whole answer."""
        return await self.client.request("POST", "/", body=name.encode())

    async def begin(self, name: str):
        """Ask and return at once."""
        return await self.client.send("POST", "/", body=name.encode())

    async def settled(self, count: int = 1) -> list[Any]:
        """Wait until that many usage records have come."""
        async with asyncio.timeout(20):
            while len(self.records.all) < count:
                await asyncio.sleep(0.01)
        return self.records.all


@asynccontextmanager
async def house(
    *,
    tells: bool = False,
    headers: Headers = (("content-type", "text/plain"),),
    authenticators: Sequence[Authenticator] = (Open(),),
    lookups: Sequence[ModelLookup] = (),
    providers: Sequence[Provider] = (),
    mappers: Sequence[ErrorMapper] = (),
    strategies: Sequence[RoutingStrategy] = (),
    **stages: Sequence[Any],
) -> AsyncIterator[House]:
    """Run the whole thing."""
    log = Log()
    names, records = Names(), Records()
    async with ScriptedUpstream() as upstream, AsyncExitStack() as stack:
        egress = EgressClient(EgressPolicy(allow=("127.0.0.1",)))
        all_providers: list[Provider] = [Direct(egress), *providers]
        for provider in providers:
            if hasattr(provider, "bind"):
                provider.bind(SimpleNamespace(egress=egress))
        generations = Generations()
        await generations.publish(
            Generation(
                number=1,
                authenticators=tuple(Registered("auth", one) for one in authenticators),
                lookups=tuple(Registered("lookup", one) for one in (*lookups, names)),
                error_mappers=tuple(Registered("mapper", one) for one in mappers),
                strategies={one.name: Registered(one.name, one) for one in strategies},
                **{stage: tuple(Registered(stage, one) for one in objects) for stage, objects in stages.items()},
                providers={one.name: Registered(one.name, one) for one in all_providers},
            )
        )
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="gateway-journal-")))
        usage = UsageJournal(folder, [("records", records)], log)
        await usage.open()
        pipeline = Pipeline(generations, usage, egress.capture, body_limit=1 << 20, log=log)
        dialect = Plain(tells=tells, headers=headers)

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await pipeline.serve(scope, receive, send, dialect)

        config = uvicorn.Config(app, http=HttpProtocol, lifespan="off", log_config=None)
        server = uvicorn.Server(config)
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started:
            await asyncio.sleep(0.01)
        made = House(upstream, listener.getsockname()[1], pipeline, names, log)
        made.records = records
        try:
            yield made
        finally:
            server.should_exit = True
            await serving
            await usage.aclose()
            await pipeline.aclose()
            await generations.aclose()
            await egress.aclose()


@pytest.fixture
def open_house():
    """The context manager itself."""
    return house
