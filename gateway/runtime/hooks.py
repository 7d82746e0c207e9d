"""Check the hooks of one imported plugin before it is registered."""

import inspect
from typing import Any

import pluggy

from gateway import hookspecs
from gateway.runtime.plugins import PluginLoadError, hook_names
from gateway.settings import suggest


def implemented(manager: pluggy.PluginManager, plugin: Any) -> tuple[str, ...]:
    """The hooks a plugin implements; raises `PluginLoadError` with a reason when one of them cannot work."""
    known = hook_names(manager)
    names = []
    for attribute in dir(plugin):
        options = manager.parse_hookimpl_opts(plugin, attribute)
        if options is None:
            continue
        name = options.get("specname") or attribute
        if name not in known:
            if options.get("optionalhook"):
                continue
            raise PluginLoadError(f"it implements a hook '{name}' that does not exist{suggest(name, known)}")
        _check(name, getattr(plugin, attribute))
        names.append(name)
    return tuple(sorted(names))


def oversights(manager: pluggy.PluginManager, plugin: Any) -> list[str]:
    """What a registered plugin may do and most likely should not, one sentence each."""
    found = []
    implementations = 0
    for attribute in dir(plugin):
        options = manager.parse_hookimpl_opts(plugin, attribute)
        if options is not None:
            implementations += 1
            if options.get("wrapper") or options.get("hookwrapper"):
                found.append(f"its hook '{attribute}' is a wrapper and is not called")
        elif attribute in hook_names(manager) and inspect.isroutine(getattr(plugin, attribute)):
            found.append(f"its function '{attribute}' is not called: put @hookimpl above it")
    if not implementations:
        found.append("it implements no hook")
    return found + _outdated(manager, plugin)


def _outdated(manager: pluggy.PluginManager, plugin: Any) -> list[str]:
    """The arguments it still takes that will go away; pluggy's own warning names neither plugin nor hook."""
    return [
        f"its hook '{caller.name}' takes the argument '{argument}', which will go away: {warning}"
        for caller in manager.get_hookcallers(plugin) or ()
        for argument, warning in ((caller.spec and caller.spec.warn_on_impl_args) or {}).items()
        for implementation in caller.get_hookimpls()
        if implementation.plugin is plugin and argument in implementation.argnames
    ]


def _check(name: str, function: Any) -> None:
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise PluginLoadError(
            f"its hook '{name}' is 'async def': hooks are called once, by synchronous code, which would take the"
            " coroutine itself for the answer; make it a plain function that returns objects with async methods"
        )
    available = tuple(inspect.signature(getattr(hookspecs, name)).parameters)
    for parameter in inspect.signature(function).parameters.values():
        wanted = parameter.name
        if parameter.default is parameter.empty and wanted not in available:
            raise PluginLoadError(
                f"its hook '{name}' asks for an argument '{wanted}' that does not exist"
                f"{suggest(wanted, available)}; there are: {', '.join(available)}"
            )
