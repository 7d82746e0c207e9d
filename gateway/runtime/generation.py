"""One immutable, fully assembled set of plugins."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from types import MappingProxyType
from typing import Any, Generic, TypeVar

import msgspec

from gateway.cancellation import strays_as_errors
from gateway.protocols import (
    Authenticator,
    ErrorMapper,
    Lifespan,
    Limiter,
    ModelLookup,
    Provider,
    RequestTransform,
    RoutingStrategy,
    StreamObserver,
    StreamTransform,
    UsageSink,
)
from gateway.runtime.order import Place
from gateway.runtime.plugins import PluginLoadError

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Registered(msgspec.Struct, Generic[T_co], frozen=True):
    """An object and the plugin that registered it."""

    plugin: str
    object: T_co


class Generation(msgspec.Struct, frozen=True, kw_only=True):
    """What serves an exchange from its start to its end; every tuple is in the order to ask.

    The first is the nearest to the client: what happens to answers - stream transforms' steps, the settlement of
    limiters - happens in the reverse order.
    """

    number: int
    authenticators: tuple[Registered[Authenticator], ...] = ()
    lookups: tuple[Registered[ModelLookup], ...] = ()
    limiters: tuple[Registered[Limiter], ...] = ()
    request_transforms: tuple[Registered[RequestTransform], ...] = ()
    stream_transforms: tuple[Registered[StreamTransform], ...] = ()
    stream_observers: tuple[Registered[StreamObserver], ...] = ()
    error_mappers: tuple[Registered[ErrorMapper], ...] = ()
    usage_sinks: tuple[Registered[UsageSink], ...] = ()
    strategies: Mapping[str, Registered[RoutingStrategy]] = MappingProxyType({})
    providers: Mapping[str, Registered[Provider]] = MappingProxyType({})
    lifespans: tuple[Registered[Lifespan], ...] = ()
    app_inits: tuple[Registered[Callable[[Any], None]], ...] = ()
    order: Mapping[str, tuple[Place, ...]] = MappingProxyType({})
    """Every stage's plugins in the order to ask, each with why it stands there."""
    failed: Mapping[str, str] = MappingProxyType({})
    """Plugins that were to serve and do not, with the reason."""
    spared: frozenset[str] = frozenset()
    """Plugins that it serves without when their lifespan does not start."""
    start_seconds: float = 20.0
    """How long a lifespan may take to start."""

    def on_app_init(self, app_config: Any) -> None:
        """Let every plugin add to Litestar's `AppConfig`; raises `PluginLoadError` naming the one that failed."""
        for registered in self.app_inits:
            registered.object(app_config)

    def without(self, plugin: str, reason: str) -> "Generation":
        """The same generation, in which a plugin has failed."""
        return msgspec.structs.replace(
            self,
            authenticators=_others(plugin, self.authenticators),
            lookups=_others(plugin, self.lookups),
            limiters=_others(plugin, self.limiters),
            request_transforms=_others(plugin, self.request_transforms),
            stream_transforms=_others(plugin, self.stream_transforms),
            stream_observers=_others(plugin, self.stream_observers),
            error_mappers=_others(plugin, self.error_mappers),
            usage_sinks=_others(plugin, self.usage_sinks),
            strategies=_others_by_name(plugin, self.strategies),
            providers=_others_by_name(plugin, self.providers),
            order={stage: tuple(p for p in places if p.plugin != plugin) for stage, places in self.order.items()},
            failed={**self.failed, plugin: reason},
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Generation"]:
        """Hold the plugins' lifespans open and give what serves: this generation, or what is left of it.

        A generation runs once. A `spared` plugin whose lifespan fails to start is left out; any other's ends the start:
        those before it are closed and `PluginLoadError` names it.
        """
        async with AsyncExitStack() as stack:
            serving = self
            for registered in self.lifespans:
                try:
                    await _enter(stack, registered, self.start_seconds)
                except PluginLoadError as error:
                    if registered.plugin not in self.spared:
                        raise PluginLoadError(f"plugin '{registered.plugin}': {error}") from error
                    serving = serving.without(registered.plugin, str(error))
            yield serving


def _others(plugin: str, registered: Iterable[Registered[T]]) -> tuple[Registered[T], ...]:
    return tuple(one for one in registered if one.plugin != plugin)


def _others_by_name(plugin: str, registered: Mapping[str, Registered[T]]) -> Mapping[str, Registered[T]]:
    return MappingProxyType({name: one for name, one in registered.items() if one.plugin != plugin})


async def _enter(stack: AsyncExitStack, registered: Registered[Lifespan], seconds: float) -> None:
    manager = registered.object

    async def leave(*exception: Any) -> None:
        # Its return value is dropped: a plugin must not swallow what ends the gateway.
        try:
            with strays_as_errors():
                await manager.__aexit__(*exception)
        except Exception as error:
            if error is exception[1]:
                return
            raise PluginLoadError(f"plugin '{registered.plugin}': its lifespan failed to stop: {error}") from error

    limit = asyncio.timeout(seconds)
    try:
        async with limit:
            with strays_as_errors():
                await manager.__aenter__()
    except Exception as error:
        if limit.expired():
            raise PluginLoadError(f"its lifespan did not start within {seconds:g} seconds") from error
        raise PluginLoadError(f"its lifespan failed to start: {error}") from error
    stack.push_async_exit(leave)
