"""One generation with its HTTP surfaces: everything of it that is made before anything is opened."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import NamedTuple

import msgspec
from litestar import Litestar, Router
from litestar.config.app import AppConfig
from litestar.handlers import BaseRouteHandler
from litestar.plugins import InitPlugin

from gateway.api import AdminGuard, exception_handlers
from gateway.app.emitting import Emitter
from gateway.app.lean import Lean
from gateway.app.routes import Handle, check_routes, direct, exchange_paths, guard_admin_routes, overheard
from gateway.protocols import Gateway
from gateway.runtime import Generation, PluginEntry, PluginLoadError, Plugins, Registered, assemble, load_plugins
from gateway.runtime.discovery import OURS
from gateway.settings import Settings

_OURS = "the gateway itself"


class Assembled(NamedTuple):
    """A generation, not opened yet, with the plugins it was made of and the application of its routes."""

    plugins: Plugins
    generation: Generation
    litestar: Litestar
    exchanges: frozenset[str]
    """The paths that serve exchanges and nothing else."""
    overheard: bool
    """Whether a plugin's middleware or hook sees the messages of answers: then they are sent as messages."""
    direct: Mapping[str, Handle]
    """What serves exchanges at a path, where nothing stands before it."""


class Assembler:
    """Makes generations out of settings: plugins loaded, hooks called, routes built and checked.

    `handlers` are the gateway's own routes, made anew for each; `closing` is called when a generation serves no more,
    before its plugins' lifespans are left.
    """

    def __init__(
        self,
        gateway_for: Callable[[PluginEntry], Gateway],
        handlers: Callable[[], list[BaseRouteHandler | Router]],
        guard: AdminGuard,
        closing: Callable[[Generation], Awaitable[None]],
    ) -> None:
        self._gateway_for = gateway_for
        self._handlers = handlers
        self._guard = guard
        self._closing = closing

    def assemble(self, settings: Settings) -> Assembled:
        """A generation numbered by the revision of the settings; raises `PluginLoadError`. Takes its time."""
        plugins = load_plugins(settings)
        if problems := plugins.problems():
            raise plugins.refusal(problems)
        generation = assemble(plugins, self._gateway_for, settings.revision)
        litestar = self._litestar(plugins, generation, settings.body_limit)
        check_routes(litestar.routes, self._guard)
        own = (Registered(_OURS, _started(litestar)), Registered(_OURS, self._until_closed(generation)))
        generation = msgspec.structs.replace(generation, lifespans=(*generation.lifespans, *own))
        told, paths = plugins.told(generation.failed), exchange_paths(litestar.routes)
        return Assembled(told, generation, litestar, paths, overheard(litestar), direct(litestar))

    def _litestar(self, plugins: Plugins, generation: Generation, body_limit: int) -> Litestar:
        strange = any("on_app_init" in entry.hooks and entry.distribution != OURS for entry in plugins.active)
        try:
            return (Litestar if strange else Lean)(
                route_handlers=self._handlers(),
                exception_handlers=exception_handlers(),
                plugins=[_Hooks(generation, self._guard)],
                event_emitter_backend=Emitter,
                openapi_config=None,
                logging_config=None,
                request_max_body_size=body_limit,
                debug=False,
            )
        except PluginLoadError:
            raise
        except Exception as error:  # the border: a plugin's routes may make Litestar raise anything
            raise PluginLoadError(f"The routes of the plugins cannot be served together: {error}") from error

    @asynccontextmanager
    async def _until_closed(self, generation: Generation) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await self._closing(generation)


@asynccontextmanager
async def _started(litestar: Litestar) -> AsyncIterator[None]:
    """Litestar's lifespan, whose failures come out of the groups it wraps them in."""
    try:
        async with litestar.lifespan():
            yield
    except ExceptionGroup as group:
        error: Exception = group
        while isinstance(error, ExceptionGroup):
            error = error.exceptions[0]
        raise error from group


class _Hooks(InitPlugin):
    """Lets the plugins add to the configuration, through Litestar's own door."""

    def __init__(self, generation: Generation, guard: AdminGuard) -> None:
        self._generation = generation
        self._guard = guard

    def on_app_init(self, app_config: AppConfig) -> AppConfig:
        self._generation.on_app_init(app_config)
        guard_admin_routes(app_config.route_handlers, self._guard)
        return app_config
