"""A gateway in this process around the objects under test: the real pipeline and way out, a scripted upstream."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, Self

import msgspec

from gateway.domain import Attempt, Exchange, Model, Principal, Route, Timeouts, UsageRecord
from gateway.egress import EgressClient, EgressPolicy
from gateway.errors import UpstreamError
from gateway.pipeline import Pipeline
from gateway.protocols import ByteUpstream, Egress, Gateway, Snapshot
from gateway.requests import ChatRequest
from gateway.runtime import Generation, Generations, Registered
from gateway.secrets import Secret
from gateway.testing.accounts import StraightJournal
from gateway.testing.asked import PATIENCE, Asked, Surface, chat_request
from gateway.testing.standin import StandInGateway, StandInSnapshot
from gateway.testing.upstream import Behaviour, ScriptedUpstream
from gateway.wire.chat import CHAT

LIMITS = Timeouts(connect=5.0, first=20.0, idle=20.0, total=40.0)
_BODY_LIMIT = 16 << 20


class Bench:
    """An async context manager: a whole pipeline for `generation_of(gateway)`, asked without HTTP.

    Models made by `model` are found by their names before any lookup under test is asked; with `provider` the kit's own
    OpenAI-compatible one answers for models that name it. Upstreams are real sockets.
    """

    def __init__(
        self,
        generation_of: Callable[[Gateway], Generation],
        *,
        settings: Any = None,
        snapshot: Snapshot | None = None,
        allow: Sequence[str] = ("127.0.0.1",),
        provider: str = "kit",
    ) -> None:
        self._generation_of = generation_of
        self._provider = provider
        self._routes: dict[str, Route] = {}
        self._stack = AsyncExitStack()
        self._asked: dict[str, Asked] = {}
        self._running: list[Asked] = []
        self.egress = EgressClient(EgressPolicy(allow=tuple(allow)))
        self.gateway = StandInGateway(settings, self.egress, snapshot or StandInSnapshot())
        self.upstream = ScriptedUpstream()
        self.records: list[UsageRecord] = []
        self.generation: Generation
        self.pipeline: Pipeline

    def model(self, name: str, *behaviours: Behaviour, key: str = "sk-kit", **fields: Any) -> Model:
        """A model of that name whose upstream plays these behaviours."""
        base_url = self.upstream.play(name, *behaviours)
        given = {"timeouts": LIMITS, "provider": self._provider, **fields}
        model = Model(id=name, name=name, model_id=f"{name}-id", base_url=base_url, api_key=Secret(key), **given)
        self.route(name, model)
        return model

    def route(self, name: str, *models: Model, strategy: str = "ordered") -> None:
        """Let several models stand behind one name."""
        self._routes[name] = Route(name, models, strategy)

    def begin(
        self, request: ChatRequest | str, *, principal: Principal | None = None, headers: Sequence[tuple[str, str]] = ()
    ) -> Asked:
        """Ask and return at once; without a principal the authenticators under test tell who it is."""
        asked = Asked(chat_request(request) if isinstance(request, str) else request)
        raw = [(name.encode("latin-1"), value.encode("latin-1", "replace")) for name, value in headers]
        scope: dict[str, Any] = {
            "type": "http",
            "method": "POST",
            "path": "/",
            "headers": raw,
            "client": ("127.0.0.1", 1),
        }
        scope["extensions"] = {"litestar_gateway": {"cut": asked.notice}}
        self._asked[asked.request.model] = asked
        serving = self.pipeline.serve(scope, asked.receive, asked.send, Surface(asked), anonymous=principal)
        asked.task = asyncio.get_running_loop().create_task(serving)
        asked.task.add_done_callback(asked.notice)
        self._running.append(asked)
        return asked

    async def ask(self, request: ChatRequest | str, *, principal: Principal | None = None, **more: Any) -> Asked:
        """Ask and wait for the end, or until the first attempt has failed: nothing waits for a second one."""
        asked = self.begin(request, principal=principal or Principal("kit", unrestricted=True), **more)
        await asked.until(lambda: bool(asked.raised) or asked.task.done(), LIMITS.first)
        asked.leave()
        await asked.ended()
        return asked

    async def settled(self, condition: Callable[[], bool], seconds: float = PATIENCE) -> bool:
        """Wait until that holds of anything outside one exchange; False when it did not in time."""
        try:
            async with asyncio.timeout(seconds):
                while not condition():  # noqa: ASYNC110 - anything may be waited for, sockets included
                    await asyncio.sleep(0.01)
        except TimeoutError:
            return condition()
        return True

    async def __aenter__(self) -> Self:
        stack = self._stack
        stack.push_async_callback(self.egress.aclose)
        stack.push_async_callback(self.gateway.database.aclose)
        self.generation = self._furnish(self._generation_of(self.gateway))
        generations = Generations()
        await generations.publish(self.generation)
        stack.push_async_callback(generations.aclose)
        usage = StraightJournal([("kit", self), *_sinks(self.generation)], self.gateway.log)
        stack.push_async_callback(usage.aclose)
        self.pipeline = Pipeline(generations, usage, self.egress.capture, body_limit=_BODY_LIMIT, log=self.gateway.log)
        stack.push_async_callback(self.pipeline.aclose)
        stack.push_async_callback(self._abandon)
        await stack.enter_async_context(self.upstream)  # left first: no task of a plugin waits for it any more
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.__aexit__(kind, error, trace)

    # -- the kit's own objects in the generation --

    async def find(self, name: str, principal: Principal) -> Route | None:
        """The bench's own models (ModelLookup)."""
        return self._routes.get(name)

    async def write(self, records: Sequence[UsageRecord]) -> None:
        """Keep what attempts consumed (UsageSink)."""
        self.records += records

    def map(self, error: Exception, attempt: Attempt | None) -> None:
        """Note what an attempt ended with, and leave it to the mappers (ErrorMapper)."""
        request = attempt.exchange.request if attempt else None
        asked = self._asked.get(request.model) if request else None
        if asked is not None:
            asked.raised.append((error, attempt))
            asked.notice()

    def _furnish(self, generation: Generation) -> Generation:
        providers = {"kit": Registered[Any]("kit", PlainChat(self.egress)), **generation.providers}
        return msgspec.structs.replace(
            generation,
            lookups=(Registered("kit", self), *generation.lookups),
            error_mappers=(Registered("kit", self), *generation.error_mappers),
            providers=providers,
        )

    async def _abandon(self) -> None:
        """Let every client leave; what does not end then is cancelled, and left behind if that does not help."""
        for asked in self._running:
            asked.leave()
        tasks = [asked.task for asked in self._running]
        if tasks:
            _, running = await asyncio.wait(tasks, timeout=PATIENCE)
            for task in running:
                task.cancel()
            await asyncio.wait(tasks, timeout=PATIENCE)


class PlainChat:
    """The plainest provider: the chat dialect straight through the way out."""

    name = "kit"

    def __init__(self, egress: Egress) -> None:
        self._egress = egress

    def connect(self, model: Model) -> "PlainChat":
        """Itself: it holds nothing."""
        return self

    async def open(self, request: ChatRequest, attempt: Attempt) -> ByteUpstream:
        """Send the request; the answer as it comes."""
        model = attempt.model
        body = CHAT.write_request(request, model)
        url = f"{model.base_url}/chat/completions"
        answer = await self._egress.send("POST", url, body=body, tenant=model.tenant, timeouts=model.timeouts)
        if answer.status >= 400:
            raise UpstreamError(answer.status, await answer.read(1 << 20), answer.headers)
        return ByteUpstream(CHAT, answer)

    async def aclose(self) -> None:
        """Nothing to close."""


def exchange_of(request: ChatRequest, model: Model, *, principal: Principal | None = None) -> Exchange:
    """An exchange that has come as far as its first attempt, for objects that are called directly."""
    exchange = Exchange("00000000000000000000000000000001", "kit")
    exchange.principal = principal or Principal("kit")
    exchange.request = request
    exchange.route = Route.of(model)
    exchange.attempts.append(Attempt(exchange, model, 1))
    return exchange


def _sinks(generation: Generation) -> list[tuple[str, Any]]:
    return [(sink.plugin, sink.object) for sink in generation.usage_sinks]
