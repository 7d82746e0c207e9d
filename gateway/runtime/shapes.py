"""Check that an object a plugin registered fits its protocol, while its plugin's name is still known."""

import inspect
from typing import Any

from gateway.runtime.plugins import PluginEntry, PluginLoadError


def check(entry: PluginEntry, hook: str, protocol: type, candidate: object) -> None:
    """Raise `PluginLoadError` naming plugin, object and method when the object cannot serve as `protocol`."""
    if isinstance(candidate, type):
        raise _refusal(entry, hook, candidate, "is a class; return an instance of it")
    for name in getattr(protocol, "__annotations__", {}):
        if not isinstance(getattr(candidate, name, None), str) or not getattr(candidate, name):
            raise _refusal(entry, hook, candidate, f"needs an attribute '{name}', a text that is not empty")
    for name, model in vars(protocol).items():
        if inspect.isfunction(model) and not name.startswith("_"):
            wrong = _method(getattr(candidate, name, None), model)
            if wrong:
                raise _refusal(entry, hook, candidate, f"needs {_shown(name, model)}; {wrong}")


def _method(method: Any, model: Any) -> str:
    """What is wrong with a method, empty when it can be called as its model is."""
    if not callable(method):
        return "it has none"
    plain = inspect.unwrap(method)
    is_async = inspect.iscoroutinefunction(plain)
    if inspect.isasyncgenfunction(plain):
        return "it is an async generator"
    if inspect.iscoroutinefunction(model) and not is_async:
        return "it is not 'async def'"
    if is_async and not inspect.iscoroutinefunction(model):
        return "it is 'async def'"
    arguments = [name for name in inspect.signature(model).parameters if name != "self"]
    try:
        inspect.signature(method).bind(*arguments)
    except TypeError:
        return f"it does not take {len(arguments)} argument{'s' if len(arguments) != 1 else ''}"
    except ValueError:  # a method written in C says nothing
        return ""
    return ""


def _shown(name: str, model: Any) -> str:
    arguments = ", ".join(inspect.signature(model).parameters)
    return f"a method '{'async ' if inspect.iscoroutinefunction(model) else ''}def {name}({arguments})'"


def _refusal(entry: PluginEntry, hook: str, candidate: object, wrong: str) -> PluginLoadError:
    cls = candidate if isinstance(candidate, type) else type(candidate)
    return PluginLoadError(f"{entry.title}: what its hook '{hook}' returned ({cls.__qualname__}) {wrong}")
