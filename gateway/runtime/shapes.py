"""Check that an object a plugin registered fits its protocol, while its plugin's name is still known."""

import inspect
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from gateway.events import Event
from gateway.protocols import Limiter, RequestTransform, StreamObserver, StreamTransform

_TRANSFORMS = (RequestTransform, StreamTransform)


def _settled(self: object, exchange: object, records: object) -> None: ...


def _first_content(self: object, exchange: object) -> None: ...


def _left(self: object, exchange: object) -> None: ...


_OPTIONAL: Final[Mapping[type, Mapping[str, Any]]] = MappingProxyType(
    {StreamObserver: {"settled": _settled, "first_content": _first_content}, Limiter: {"left": _left}}
)
"""What methods look like that an object need not have."""


class ShapeError(Exception):
    """An object cannot serve; the message names it and its hook."""


def check(hook: str, protocol: type, candidate: object) -> None:
    """Raise `ShapeError` naming hook, object and method when the object cannot serve as `protocol`."""
    if isinstance(candidate, type):
        raise _refusal(hook, candidate, "is a class; return an instance of it")
    properties = [name for name, model in vars(protocol).items() if isinstance(model, property)]
    for name in (*getattr(protocol, "__annotations__", {}), *properties):
        value = getattr(candidate, name, None)
        if name == "name" and (not isinstance(value, str) or not value):
            raise _refusal(hook, candidate, f"needs an attribute '{name}', a text that is not empty")
        if name == "wants" and value is not None and not _are_events(value):
            raise _refusal(hook, candidate, f"has an attribute '{name}' that is no set of event classes, such as Text")
    for name, model in vars(protocol).items():
        if inspect.isfunction(model) and not name.startswith("_"):
            wrong = _method(getattr(candidate, name, None), model)
            if wrong:
                raise _refusal(hook, candidate, f"needs {_shown(name, model)}; {wrong}")
    for name, model in _OPTIONAL.get(protocol, {}).items():
        if hasattr(candidate, name) and (wrong := _method(getattr(candidate, name), model)):
            raise _refusal(hook, candidate, f"has {_shown(name, model)[2:]} that nobody can call; {wrong}")
    for name in ("before", "after"):
        if not _are_names(getattr(candidate, name, ())):
            raise _refusal(hook, candidate, f"has an attribute '{name}' that is no tuple of plugins' names")
    if protocol in _TRANSFORMS and getattr(candidate, "on_error", "fail") not in ("fail", "skip"):
        raise _refusal(hook, candidate, "has an attribute 'on_error' that is neither 'fail' nor 'skip'")


def _are_events(value: object) -> bool:
    # No event is of the base class itself: an observer that wants it would never be told anything.
    return isinstance(value, frozenset | set) and all(
        isinstance(kind, type) and issubclass(kind, Event) and kind is not Event for kind in value
    )


def _are_names(value: object) -> bool:
    return isinstance(value, tuple | list | frozenset | set) and all(isinstance(name, str) for name in value)


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


def _refusal(hook: str, candidate: object, wrong: str) -> ShapeError:
    cls = candidate if isinstance(candidate, type) else type(candidate)
    return ShapeError(f"what its hook '{hook}' returned ({cls.__qualname__}) {wrong}")
