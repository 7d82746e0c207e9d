"""One immutable, fully assembled set of plugins, and how it is made."""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from types import MappingProxyType
from typing import Any, Generic, TypeVar

import msgspec

from gateway.protocols import Authenticator, ErrorMapper, Gateway, Lifespan, ModelLookup, Provider, UsageSink
from gateway.runtime.plugins import PluginEntry, PluginLoadError, Plugins
from gateway.runtime.shapes import check

T_co = TypeVar("T_co", covariant=True)


class Registered(msgspec.Struct, Generic[T_co], frozen=True):
    """An object and the plugin that registered it."""

    plugin: str
    object: T_co


class Generation(msgspec.Struct, frozen=True, kw_only=True):
    """What serves an exchange from its start to its end; every tuple is in the order to ask."""

    number: int
    authenticators: tuple[Registered[Authenticator], ...] = ()
    lookups: tuple[Registered[ModelLookup], ...] = ()
    error_mappers: tuple[Registered[ErrorMapper], ...] = ()
    usage_sinks: tuple[Registered[UsageSink], ...] = ()
    providers: Mapping[str, Registered[Provider]] = MappingProxyType({})
    lifespans: tuple[Registered[Lifespan], ...] = ()
    app_inits: tuple[Registered[Callable[[Any], None]], ...] = ()

    def on_app_init(self, app_config: Any) -> None:
        """Let every plugin add to Litestar's `AppConfig`; raises `PluginLoadError` naming the one that failed."""
        for registered in self.app_inits:
            registered.object(app_config)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Hold the plugins' lifespans open; a generation runs once.

        When one fails to start, those before it are closed and `PluginLoadError` names it.
        """
        async with AsyncExitStack() as stack:
            for registered in self.lifespans:
                await _enter(stack, registered)
            yield


def assemble(plugins: Plugins, gateway_for: Callable[[PluginEntry], Gateway], number: int) -> Generation:
    """Call every hook once and keep what it returned; raises `PluginLoadError` for the first that cannot serve.

    Objects are in pluggy's order: `tryfirst`, then the last registered first, so others' before the gateway's own.
    """
    collector = _Collector(plugins, gateway_for)
    return Generation(
        number=number,
        authenticators=collector.objects("register_authenticators", Authenticator),
        lookups=collector.objects("register_model_lookups", ModelLookup),
        error_mappers=collector.objects("register_error_mappers", ErrorMapper),
        usage_sinks=collector.objects("register_usage_sinks", UsageSink),
        providers=_by_name(plugins, collector.objects("register_providers", Provider)),
        lifespans=collector.lifespans(),
        app_inits=collector.app_inits(),
    )


class _Collector:
    """Calls implementations one by one: through `pm.hook` the objects would lose their plugin's name."""

    def __init__(self, plugins: Plugins, gateway_for: Callable[[PluginEntry], Gateway]) -> None:
        self._plugins = plugins
        self._gateways = {entry.name: gateway_for(entry) for entry in plugins.active}

    def objects(self, hook: str, protocol: type[Any]) -> tuple[Registered[Any], ...]:
        """What the implementations of a `register_*` hook returned, each checked against its protocol."""
        found = []
        for entry, call in self._implementations(hook):
            for item in _items(entry, hook, call({})):
                check(entry, hook, protocol, item)
                found.append(Registered(entry.name, item))
        return tuple(found)

    def lifespans(self) -> tuple[Registered[Lifespan], ...]:
        """The context managers of the `lifespan` hooks."""
        found = []
        for entry, call in self._implementations("lifespan"):
            manager = call({})
            if manager is None:
                continue
            if not (hasattr(manager, "__aenter__") and hasattr(manager, "__aexit__")):
                raise PluginLoadError(f"{entry.title}: its hook 'lifespan' returned no async context manager")
            found.append(Registered(entry.name, manager))
        return tuple(found)

    def app_inits(self) -> tuple[Registered[Callable[[Any], None]], ...]:
        """The `on_app_init` hooks, waiting for the application's configuration."""
        return tuple(
            Registered(entry.name, lambda app_config, call=call: call({"app_config": app_config}))
            for entry, call in self._implementations("on_app_init")
        )

    def _implementations(self, hook: str) -> Iterable[tuple[PluginEntry, Callable[[dict[str, Any]], Any]]]:
        for implementation in reversed(getattr(self._plugins.manager.hook, hook).get_hookimpls()):
            if implementation.wrapper or implementation.hookwrapper:
                continue
            entry = self._plugins.entry(implementation.plugin_name)
            gateway = self._gateways[entry.name]

            def call(
                arguments: dict[str, Any],
                implementation: Any = implementation,
                entry: PluginEntry = entry,
                gateway: Gateway = gateway,
            ) -> Any:
                available = {**arguments, "gateway": gateway}
                try:
                    return implementation.function(*(available[name] for name in implementation.argnames))
                except (Exception, SystemExit) as error:  # the border: a plugin's code may raise anything
                    raise _failed(entry, hook, error) from error

            yield entry, call


def _items(entry: PluginEntry, hook: str, returned: Any) -> list[Any]:
    """The objects of one hook; a generator runs here, so what it raises is the hook's failure too."""
    if returned is None:
        return []
    if isinstance(returned, str | bytes | Mapping) or not isinstance(returned, Iterable):
        if hasattr(returned, "close"):
            returned.close()  # a coroutine that nobody awaits would warn later, far from its cause
        raise PluginLoadError(f"{entry.title}: its hook '{hook}' returned {type(returned).__name__}, not a list")
    try:
        return list(returned)
    except (Exception, SystemExit) as error:  # the border: a plugin's code may raise anything
        raise _failed(entry, hook, error) from error


def _failed(entry: PluginEntry, hook: str, error: BaseException) -> PluginLoadError:
    return PluginLoadError(f"{entry.title}: its hook '{hook}' failed: {type(error).__name__}: {error}")


def _by_name(plugins: Plugins, providers: Iterable[Registered[Provider]]) -> Mapping[str, Registered[Provider]]:
    found: dict[str, Registered[Provider]] = {}
    for provider in providers:
        name = provider.object.name
        first = found.setdefault(name, provider)
        if first is not provider:
            both = " and ".join(plugins.entry(one.plugin).title for one in (first, provider))
            raise PluginLoadError(f"two providers are called '{name}', of {both}; disable one of the plugins")
    return MappingProxyType(found)


async def _enter(stack: AsyncExitStack, registered: Registered[Lifespan]) -> None:
    manager = registered.object

    async def leave(*exception: Any) -> None:
        # Its return value is dropped: a plugin must not swallow what ends the gateway.
        try:
            await manager.__aexit__(*exception)
        except Exception as error:
            if error is exception[1]:
                return
            raise PluginLoadError(f"plugin '{registered.plugin}': its lifespan failed to stop: {error}") from error

    try:
        await manager.__aenter__()
    except Exception as error:
        raise PluginLoadError(f"plugin '{registered.plugin}': its lifespan failed to start: {error}") from error
    stack.push_async_exit(leave)
