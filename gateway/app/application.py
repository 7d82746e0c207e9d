"""The application: everything that lives while the gateway serves, and the order it opens and closes in."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from litestar import Litestar
from litestar.config.app import AppConfig
from litestar.plugins import InitPlugin

from gateway.api import exception_handlers, health_handlers
from gateway.app.door import Listening, PluginDoor
from gateway.app.log import FieldLogger, configure
from gateway.app.routes import check_routes
from gateway.egress import EgressClient, EgressPolicy, self_test
from gateway.pipeline import Pipeline
from gateway.registry import Registry, RegistryError
from gateway.runtime import Generation, Generations, PluginEntry, PluginLoadError, Plugins, assemble, load_plugins
from gateway.settings import Settings, SettingsError, load_settings, locate
from gateway.usage import UsageDispatcher

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
        self.listening = Listening(settings.host, settings.port)
        self.log = FieldLogger("gateway.app")
        self.plugins = _load(settings)
        self._policy = _policy(settings)
        self.egress = EgressClient(self._policy)
        self._registry: Registry | None = None
        generation = assemble(self.plugins, self._door, 1)
        self._generation = generation
        self._generations = Generations()
        sinks = [(sink.plugin, sink.object) for sink in generation.usage_sinks]
        self._usage = UsageDispatcher(sinks, FieldLogger("gateway.usage"))
        self.pipeline = Pipeline(
            self._generations, self._usage, body_limit=settings.body_limit, log=FieldLogger("gateway.pipeline")
        )
        self._litestar = _litestar(self, generation)

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
        else:
            await self._litestar(scope, receive, send)

    async def drain(self) -> None:
        """Be no longer ready, refuse new exchanges, return when the running ones have ended or their time is over."""
        self.pipeline.drain()
        self.log.info("draining", count=self.pipeline.in_flight)
        await self.pipeline.drained(self.settings.drain_seconds)

    async def ready(self) -> bool:
        """Whether everything that an exchange needs is there."""
        if self._registry is None or self._registry.snapshot_age() > _STALE_SECONDS:
            return False
        try:
            async with asyncio.timeout(_PING_SECONDS):
                await self._registry.ping()
        except (RegistryError, TimeoutError):
            return False
        return True

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Hold everything open that serves; closed in the opposite order."""
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self.egress.aclose)
            self._registry = await Registry.open(self.settings)
            stack.push_async_callback(self._registry.aclose)
            await self_test(self._policy)
            stack.push_async_callback(self._usage.aclose)
            await self._generations.publish(self._generation)
            stack.push_async_callback(self._generations.aclose)
            stack.push_async_callback(self.pipeline.aclose)
            await stack.enter_async_context(self._litestar.lifespan())
            yield

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


def _load(settings: Settings) -> Plugins:
    plugins = load_plugins(settings)
    log = FieldLogger("gateway.app")
    for warning in plugins.warnings:
        log.warning("plugin_warning", reason=warning)
    if problems := plugins.problems():
        raise PluginLoadError("\n".join(problems))
    return plugins


def _policy(settings: Settings) -> EgressPolicy:
    try:
        return EgressPolicy(allow=settings.egress.allow)
    except ValueError as error:
        place = locate(("egress", "allow"), settings.origins).text
        raise SettingsError([f"{place}: {str(error).removeprefix('egress.allow: ')}"]) from error


class _Hooks(InitPlugin):
    """Lets the plugins add to the configuration, through Litestar's own door."""

    def __init__(self, generation: Generation) -> None:
        self._generation = generation

    def on_app_init(self, app_config: AppConfig) -> AppConfig:
        self._generation.on_app_init(app_config)
        return app_config


def _litestar(application: Application, generation: Generation) -> Litestar:
    litestar = Litestar(
        route_handlers=health_handlers(application.ready, lambda: application.pipeline.draining),
        exception_handlers=exception_handlers(),
        plugins=[_Hooks(generation)],
        openapi_config=None,
        logging_config=None,
        request_max_body_size=application.settings.body_limit,
        debug=False,
    )
    check_routes(litestar.routes)
    return litestar
