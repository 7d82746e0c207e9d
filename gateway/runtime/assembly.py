"""Make a generation: call every hook of every plugin once, check what it returned, and put it in order."""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, TypeVar

from gateway.protocols import (
    Authenticator,
    ErrorMapper,
    Gateway,
    Limiter,
    ModelLookup,
    Provider,
    RequestTransform,
    RoutingStrategy,
    StreamObserver,
    StreamTransform,
    UsageSink,
)
from gateway.runtime import kinds
from gateway.runtime.calling import HookError, Hooks
from gateway.runtime.generation import Generation, Registered
from gateway.runtime.order import Place, Wishes, arrange
from gateway.runtime.plugins import PluginEntry, PluginLoadError, Plugins

T = TypeVar("T")
Named = TypeVar("Named", bound=Provider | RoutingStrategy)

_STAGES: Mapping[str, type[Any]] = MappingProxyType(
    {
        "authenticators": Authenticator,
        "model_lookups": ModelLookup,
        "limiters": Limiter,
        "request_transforms": RequestTransform,
        "stream_transforms": StreamTransform,
        "stream_observers": StreamObserver,
        "error_mappers": ErrorMapper,
        "usage_sinks": UsageSink,
    }
)
"""The stages in which order counts; each is the hook `register_<stage>` and the setting `order.<stage>`."""


def assemble(plugins: Plugins, gateway_for: Callable[[PluginEntry], Gateway], number: int) -> Generation:
    """Call every hook once and keep what it returned, in order.

    A plugin that fails is left out as a whole and its reason is in `Generation.failed`; raises `PluginLoadError` with
    every one that is needed, and when two providers have one name or the order is a cycle.
    """
    collected = _Collected(plugins, Hooks(plugins, gateway_for))
    for stage, protocol in _STAGES.items():
        collected.collect(stage, protocol)
    collected.collect("strategies", RoutingStrategy)
    collected.collect("providers", Provider)
    lifespans = collected.lifespans()
    collected.refuse()
    stages = {stage: collected.stage(stage) for stage in _STAGES}
    return Generation(
        number=number,
        authenticators=stages["authenticators"],
        lookups=stages["model_lookups"],
        limiters=stages["limiters"],
        request_transforms=stages["request_transforms"],
        stream_transforms=stages["stream_transforms"],
        stream_observers=stages["stream_observers"],
        error_mappers=stages["error_mappers"],
        usage_sinks=stages["usage_sinks"],
        strategies=_by_name(plugins, "strategies", collected.working("strategies")),
        providers=_by_name(plugins, "providers", collected.working("providers")),
        lifespans=collected.others(lifespans),
        app_inits=collected.others(collected.app_inits()),
        order={stage: collected.order(stage) for stage in _STAGES},
        failed=MappingProxyType(collected.failed),
        spared=frozenset(entry.name for entry in plugins.active) - collected.needed(),
        start_seconds=plugins.settings.plugin_start_seconds,
    )


class _Collected:
    """What the hooks returned, and which plugins failed."""

    def __init__(self, plugins: Plugins, hooks: Hooks) -> None:
        self.failed: dict[str, str] = {}
        self._plugins = plugins
        self._hooks = hooks
        self._found: dict[str, list[Registered[Any]]] = {}
        self._guarding: set[str] = set()
        self._skips: dict[str, list[bool]] = {}

    def collect(self, stage: str, protocol: type[Any]) -> None:
        """Call the stage's hook of every plugin that has not failed yet."""
        hook = f"register_{stage}"
        self._found[stage] = []
        for entry, call in self._calls(hook):
            for item in call(partial(self._hooks.objects, hook, protocol)):
                self._found[stage].append(Registered(entry.name, item))
                self._listen(entry, stage, item)

    def lifespans(self) -> list[Registered[Any]]:
        """The context managers of the `lifespan` hooks."""
        return [
            Registered(entry.name, manager)
            for entry, call in self._calls("lifespan")
            for manager in call(self._hooks.lifespan)
        ]

    def app_inits(self) -> list[Registered[Callable[[Any], None]]]:
        """The `on_app_init` hooks, waiting for the application's configuration."""
        return [
            Registered(entry.name, partial(self._hooks.on_app_init, entry, implementation))
            for entry, implementation in self._hooks.implementations("on_app_init")
        ]

    def needed(self) -> frozenset[str]:
        """The plugins without which the server does not start."""
        return frozenset(entry.name for entry in self._plugins.active if self._is_needed(entry))

    def refuse(self) -> None:
        """Raise when needed plugins have failed, telling each."""
        needed = self.needed()
        told = [f"{self._plugins.entry(name).title}: {why}" for name, why in self.failed.items() if name in needed]
        if told:
            raise PluginLoadError("\n".join(told), self.failed)

    def others(self, registered: Iterable[Registered[T]]) -> tuple[Registered[T], ...]:
        """Those of plugins that have not failed."""
        return tuple(one for one in registered if one.plugin not in self.failed)

    def working(self, stage: str) -> tuple[Registered[Any], ...]:
        """A stage's objects as registered, without those of plugins that failed."""
        return self.others(self._found[stage])

    def order(self, stage: str) -> tuple[Place, ...]:
        """A stage's plugins in the order to ask."""
        objects = self.working(stage)
        registered = list(dict.fromkeys(one.plugin for one in objects))
        wishes = {plugin: _wishes(one.object for one in objects if one.plugin == plugin) for plugin in registered}
        # A plugin that changes requests and answers does both at the same depth.
        nested = [place.plugin for place in self.order("request_transforms")] if stage == "stream_transforms" else ()
        return arrange(stage, registered, wishes, getattr(self._plugins.settings.order, stage), nested)

    def stage(self, stage: str) -> tuple[Registered[Any], ...]:
        """A stage's objects in the order to ask; those of one plugin stay together as it returned them."""
        places = [place.plugin for place in self.order(stage)]
        return tuple(sorted(self.working(stage), key=lambda one: places.index(one.plugin)))

    def _calls(self, hook: str) -> Iterable[tuple[PluginEntry, Callable[[Callable[..., list[Any]]], list[Any]]]]:
        for entry, implementation in self._hooks.implementations(hook):
            if entry.name not in self.failed:
                yield entry, partial(self._called, entry, hook, implementation)

    def _called(self, entry: PluginEntry, hook: str, implementation: Any, read: Callable[..., list[Any]]) -> list[Any]:
        try:
            return read(entry, implementation)
        except HookError as error:
            self.failed[entry.name] = str(error)
            self._listen(entry, hook, error.item)
            return []

    def _listen(self, entry: PluginEntry, stage: str, item: Any) -> None:
        """Remember what a transform says of its own failures."""
        if stage.endswith("_transforms") and item is not None:
            guards = getattr(item, "guard", False) is True
            self._guarding |= {entry.name} if guards else set()
            self._skips.setdefault(entry.name, []).append(getattr(item, "on_error", "fail") == "skip")

    def _is_needed(self, entry: PluginEntry) -> bool:
        if entry.name in self._guarding:
            return True
        skips = self._skips.get(entry.name, [])
        return entry.needed and not (skips and all(skips) and not kinds.needed(entry.hooks, skips=True))


def _wishes(objects: Iterable[Any]) -> Wishes:
    before: set[str] = set()
    after: set[str] = set()
    for item in objects:
        before.update(getattr(item, "before", ()))
        after.update(getattr(item, "after", ()))
    return Wishes(frozenset(before), frozenset(after))


def _by_name(plugins: Plugins, kind: str, objects: Iterable[Registered[Named]]) -> Mapping[str, Registered[Named]]:
    found: dict[str, Registered[Named]] = {}
    for registered in objects:
        name = registered.object.name
        first = found.setdefault(name, registered)
        if first is not registered:
            both = " and ".join(plugins.entry(one.plugin).title for one in (first, registered))
            raise PluginLoadError(f"two {kind} are called '{name}', of {both}; disable one of the plugins")
    return MappingProxyType(found)
