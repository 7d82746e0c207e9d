"""The application: everything that lives while the gateway serves, and the order it opens and closes in."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from litestar import Router
from litestar.handlers import BaseRouteHandler

from gateway.api import (
    BEGAN,
    Condition,
    admin_guard,
    admin_router,
    answer_unexpected,
    chat_handlers,
    health_handlers,
    kept_handlers,
    model_handlers,
    models_health_handler,
    plain_handlers,
)
from gateway.app.door import Listening, PluginDoor
from gateway.app.entrance import Entrance
from gateway.app.log import FieldLogger, configure
from gateway.app.sinks import CurrentSinks
from gateway.app.surfaces import Assembler
from gateway.app.swap import Swap
from gateway.app.unprovided import refuse_unprovided
from gateway.app.watchdog import watchdog
from gateway.egress import EgressClient, EgressPolicy, self_test
from gateway.errors import GatewayError
from gateway.pipeline import Addresses, Admission, Limits, Pipeline, Strangers
from gateway.protocols import Ailing, ModelHealth, Stats
from gateway.registry import Registry, RegistryError
from gateway.runtime import Faults, Generation, Generations, PluginEntry, Plugins, State
from gateway.settings import Settings, load_settings
from gateway.usage import UsageJournal

_PING_SECONDS = 2.0
_STALE_SECONDS = 15.0
"""A snapshot older than this is served, but the gateway is not ready."""


class Application:
    """One process's gateway: an ASGI application that can be drained.

    make (hooks run, routes are known) → lifespan startup (registry, self-test, plugins' lifespans) → serve →
    `drain` → lifespan shutdown. Raises `PluginLoadError` when a plugin that was asked for cannot serve.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.listening = Listening(settings.host, settings.port, settings.data_dir)
        self.log = FieldLogger("gateway.app")
        self._policy = _policy(settings)
        self.egress = EgressClient(self._policy)
        self._registry: Registry | None = None
        self._passing = os.urandom(32)
        """Stands for the database's secret until that has answered: what it proves holds for this process only."""
        self._generations = Generations(self._closed)
        faults, usage_log = Faults(), FieldLogger("gateway.usage")
        self._usage = UsageJournal(
            settings.data_dir / "usage",
            CurrentSinks(self._generations, faults, usage_log),
            usage_log,
            settings.usage.durability,
        )
        log, limit = FieldLogger("gateway.pipeline"), settings.body_limit
        self.pipeline = Pipeline(
            self._generations,
            self._usage,
            self.egress.capture,
            body_limit=limit,
            log=log,
            faults=faults,
            secret=lambda: self.registry.index or self._passing,
            exposes=settings.expose_routing,
            strict=settings.strict_params,
            admission=Admission(Limits(in_flight=settings.server.max_in_flight, lag=settings.server.max_lag)),
            strangers=Strangers(Addresses(settings.server.trusted_proxies), settings.server.wrong_keys, log),
        )
        self.entrance = Entrance(self.pipeline, lambda: self._swap.serving)
        """What the server asks before it makes anything of a request."""
        self._guard = admin_guard(self.pipeline.require)
        assembler = Assembler(self._door, self._handlers, self._guard, self.pipeline.forget)
        self._swap = Swap(settings, self._generations, assembler, faults, self.log)
        self._swap.begin()
        refuse_unprovided(settings, self._swap.serving.generation)
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def plugins(self) -> Plugins:
        """The plugins of the generation that serves."""
        return self._swap.serving.plugins

    @property
    def registry(self) -> Registry:
        """The open registry."""
        if self._registry is None:
            raise RuntimeError("the registry is not open yet: ask for the snapshot when a request is served")
        return self._registry

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """The ASGI entry."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        # A request stays with the routes, and the open lifespans, of the generation it came in on.
        scope[BEGAN] = time.monotonic()
        held, serving = self._generations.hold(), self._swap.serving
        own = scope.get("extensions", {}).get("litestar_gateway", {})
        if own.pop("expected", False):
            self.pipeline.admission.arrived()
        if serving.overheard:
            own.pop("line", None)
        handle = serving.direct.get(scope["path"])
        try:
            if handle is None:
                await serving.litestar(scope, receive, send)
            else:
                await handle(scope, receive, send)
        except Exception as error:
            if handle is None:
                raise
            await answer_unexpected(scope, send, error)
        finally:
            self._generations.let_go(held)

    def reload(self) -> None:
        """Read settings and plugins anew and serve with them; what keeps it from that is logged. Returns at once."""
        task = asyncio.get_running_loop().create_task(self._reload())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    @property
    def drain_seconds(self) -> float:
        """How long running exchanges may go on when the server ends."""
        return self.settings.drain_seconds

    async def drain(self, hurry: asyncio.Event) -> None:
        """Be no longer ready, refuse new exchanges, return when the running ones have ended.

        When their time is over, or somebody is in a hurry, they are ended visibly.
        """
        self.pipeline.drain()
        self._swap.leave()
        self.log.info("draining", count=self.pipeline.in_flight, seconds=self.drain_seconds, reason=self._waits_for())
        await self.pipeline.drained(self.drain_seconds, hurry)
        await self._swap.left(0 if hurry.is_set() else self.settings.plugin_start_seconds)

    async def ready(self) -> bool:
        """Whether everything that an exchange needs is there."""
        return not await self.unready()

    async def unready(self) -> str:
        """What keeps the gateway from being ready, in words that anybody may read; empty when nothing does."""
        if self._registry is None:
            return "the gateway has not started"
        if not self._registry.is_open:
            return "the database has not answered since the start"
        if self._registry.snapshot_age() > _STALE_SECONDS:
            return "the database is away"
        try:
            async with asyncio.timeout(_PING_SECONDS):
                await self._registry.ping()
        except (RegistryError, TimeoutError):
            return "the database does not answer"
        return ""

    def stats(self) -> Stats:
        """The numbers of this process now."""
        generations, registry = self._generations, self._registry
        return Stats(
            generation=generations.current.number if generations.is_open else 0,
            in_flight=self.pipeline.in_flight,
            in_flight_limit=self.pipeline.admission.room,
            draining=self.pipeline.draining,
            loop_lag=self.pipeline.admission.lag.seconds,
            turned_away=self.pipeline.admission.refused,
            strangers_refused=self.pipeline.strangers.refused,
            snapshot_age=registry.snapshot_age() if registry is not None else None,
            usage_waiting=self._usage.waiting,
            usage_lag=self._usage.lag,
            usage_dropped=self._usage.dropped,
            faults=tuple(self.pipeline.faults.report()),
            cooling=tuple(self.pipeline.health.resting()),
            unwell=tuple(self.pipeline.health.report()),
            ailing=self._ailing(),
            hedges=self.pipeline.hedges,
        )

    def models_health(self) -> list[ModelHealth]:
        """Of every model of the registry, and of those that were asked and are no part of it."""
        health = self.pipeline.health
        told = [health.of(model) for model in self.registry.snapshot.models()]
        ids = {one.id for one in told}
        return [*told, *(one for one in health.known() if one.id not in ids)]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Hold everything open that serves; closed in the opposite order."""
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self.egress.aclose)
            self._registry = await Registry.open(self.settings)
            stack.push_async_callback(self._registry.aclose)
            await self_test(self._policy)
            stack.enter_context(watchdog(lambda: self.plugins, self.log, self.settings.watchdog_seconds))
            await self._generations.publish(self._swap.serving.generation)
            self._tell_failed()
            stack.push_async_callback(self._generations.aclose)
            # Before the generations: what is still to be written goes to the sinks of the one that serves.
            await self._usage.open()
            stack.push_async_callback(self._usage.aclose)
            stack.push_async_callback(self.pipeline.aclose)
            self.pipeline.admission.lag.start()
            stack.callback(self.pipeline.admission.lag.stop)
            await self._swap.remember_settings()
            following = asyncio.create_task(self._swap.follow(), name="follow switches")
            stack.push_async_callback(_cancelled, following)
            yield

    def _handlers(self) -> list[BaseRouteHandler | Router]:
        """The gateway's own routes, made anew for every generation."""
        health = health_handlers(self.unready, lambda: self.pipeline.draining, self._ailing)
        return [
            *health,
            models_health_handler(self.models_health, lambda: self.pipeline.hedges),
            *chat_handlers(self.pipeline.serve),
            *kept_handlers(self.pipeline.serve),
            *plain_handlers(self.pipeline.serve),
            *model_handlers(self.pipeline.require, lambda: self.registry.snapshot),
            admin_router(self._swap, self.pipeline.explain, Condition(self.stats, self.unready), self._guard),
        ]

    def _waits_for(self) -> str | None:
        """What keeps it from ending, and how not to wait."""
        if not (count := self.pipeline.in_flight):
            return None
        answers = f"{count} answer{'s'[: count != 1]}"
        return f"{answers} may take {self.drain_seconds:g} s to end; another Ctrl-C or SIGTERM ends them now"

    def _ailing(self) -> tuple[Ailing, ...]:
        limiters = self._generations.current.limiters if self._generations.is_open else ()
        said = ((one.plugin, getattr(one.object, "ailing", "")) for one in limiters)
        return tuple(Ailing(plugin=plugin, reason=str(reason)) for plugin, reason in said if reason)

    def _tell_failed(self) -> None:
        for entry in self._swap.plugins():
            if entry.state is State.FAILED:
                self.log.error("plugin_failed", plugin=entry.name, reason=entry.reason)

    async def _reload(self) -> None:
        try:
            await self._swap.reload()
        except GatewayError as error:
            self.log.error("reload_failed", reason=error.message)

    def _closed(self, generation: Generation, error: BaseException | None) -> None:
        if error is None:
            self.log.info("generation_closed", generation=generation.number)
        else:
            self.log.error("generation_closed", generation=generation.number, error=str(error))

    def _door(self, entry: PluginEntry) -> PluginDoor:
        return PluginDoor(self, entry)

    async def _live(self, receive: Any, send: Any) -> None:
        """The ASGI lifespan; a start that fails is one line in the log, never a traceback."""
        await receive()
        phase = "startup"
        try:
            async with self.running():
                await send({"type": "lifespan.startup.complete"})
                phase = "shutdown"
                await receive()
        except Exception as error:  # noqa: BLE001 - the border: a plugin's lifespan may raise anything
            self.log.error(f"{phase}_failed", error=str(error), reason=type(error).__name__)
            await send({"type": f"lifespan.{phase}.failed"})
        else:
            await send({"type": "lifespan.shutdown.complete"})


def create(settings: Settings | None = None) -> Application:
    """The application of these settings, else of the environment's; the factory that servers import by name."""
    settings = settings or load_settings()
    configure(settings.log_level)
    return Application(settings)


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _policy(settings: Settings) -> EgressPolicy:
    told = settings.egress
    return EgressPolicy(allow=told.allow, max_connections=told.max_connections, queue_seconds=told.queue_seconds)
