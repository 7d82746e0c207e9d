"""Call one hook of one plugin: for a limited time, and whatever its code does becomes that plugin's reason."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, TypeVar

from gateway.protocols import Gateway, Lifespan
from gateway.runtime.plugins import PluginEntry, PluginLoadError, Plugins
from gateway.runtime.shapes import ShapeError, check
from gateway.runtime.watch import HangError, within

T = TypeVar("T")


class HookError(Exception):
    """A hook did not do what it is for; the message says which and what, without the plugin's name.

    `item` is the object that cannot serve, if the hook returned one.
    """

    def __init__(self, message: str, item: object = None) -> None:
        super().__init__(message)
        self.item = item


class Hooks:
    """Calls implementations one by one: through `pm.hook` the objects would lose their plugin's name."""

    def __init__(self, plugins: Plugins, gateway_for: Callable[[PluginEntry], Gateway]) -> None:
        self._plugins = plugins
        self._gateways = {entry.name: gateway_for(entry) for entry in plugins.active}

    def implementations(self, hook: str) -> Iterator[tuple[PluginEntry, Any]]:
        """A hook's implementations in pluggy's order: `tryfirst`, then the last registered first."""
        for implementation in reversed(getattr(self._plugins.manager.hook, hook).get_hookimpls()):
            if not (implementation.wrapper or implementation.hookwrapper):
                yield self._plugins.entry(implementation.plugin_name), implementation

    def objects(self, hook: str, protocol: type[Any], entry: PluginEntry, implementation: Any) -> list[Any]:
        """What a `register_*` hook returned, each checked against its protocol."""
        call = self._arguments(entry, implementation, {})

        def read() -> list[Any]:
            return _items(hook, call())

        items = self._call(hook, entry, read)
        for item in items:
            try:
                check(hook, protocol, item)
            except ShapeError as error:
                raise HookError(str(error), item) from error
            if hook == "register_providers" and callable(bind := getattr(item, "bind", None)):
                self._call(hook, entry, partial(bind, self._gateways[entry.name]))
        return items

    def lifespan(self, entry: PluginEntry, implementation: Any) -> list[Lifespan]:
        """The context manager of a `lifespan` hook, if it returned one."""
        manager = self._call("lifespan", entry, self._arguments(entry, implementation, {}))
        if manager is None:
            return []
        if not (hasattr(manager, "__aenter__") and hasattr(manager, "__aexit__")):
            raise HookError("its hook 'lifespan' returned no async context manager")
        return [manager]

    def on_app_init(self, entry: PluginEntry, implementation: Any, app_config: Any) -> None:
        """Call an `on_app_init` hook; raises `PluginLoadError`."""
        try:
            self._call("on_app_init", entry, self._arguments(entry, implementation, {"app_config": app_config}))
        except HookError as error:
            raise PluginLoadError(f"{entry.title}: {error}", {entry.name: str(error)}) from error

    def _arguments(self, entry: PluginEntry, implementation: Any, given: Mapping[str, Any]) -> Callable[[], Any]:
        available = {**given, "gateway": self._gateways[entry.name]}
        return lambda: implementation.function(*(available[name] for name in implementation.argnames))

    def _call(self, hook: str, entry: PluginEntry, function: Callable[[], T]) -> T:
        try:
            return within(self._plugins.settings.plugin_start_seconds, function)
        except (HookError, KeyboardInterrupt):
            raise
        except HangError as error:
            raise HookError(f"its hook '{hook}' {error}") from error
        except BaseException as error:  # the border: a plugin's code may raise anything
            raise HookError(f"its hook '{hook}' failed: {type(error).__name__}: {error}") from error


def _items(hook: str, returned: Any) -> list[Any]:
    """The objects of one hook; a generator runs here, so what it raises is the hook's failure too."""
    if returned is None:
        return []
    if isinstance(returned, str | bytes | Mapping) or not isinstance(returned, Iterable):
        if hasattr(returned, "close"):
            returned.close()  # a coroutine that nobody awaits would warn later, far from its cause
        raise HookError(f"its hook '{hook}' returned {type(returned).__name__}, not a list")
    return list(returned)
