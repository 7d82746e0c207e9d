"""Reads the values of a request as what they must be; what they are not is told by the field's name."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from gateway.errors import InvalidRequest


def objected(value: Any, where: str) -> dict[str, Any]:
    """A JSON object; raises `InvalidRequest`."""
    if not isinstance(value, dict):
        raise _refused(where, "an object")
    return value


def listed(value: Any, where: str) -> list[Any]:
    """An array, empty for null; raises `InvalidRequest`."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise _refused(where, "an array")
    return value


def text(value: Any, where: str) -> str:
    """A string; raises `InvalidRequest`."""
    if not isinstance(value, str):
        raise _refused(where, "a string")
    return value


def optional_text(value: Any, where: str) -> str | None:
    """A string or null; raises `InvalidRequest`."""
    return None if value is None else text(value, where)


def texts(value: Any, where: str) -> tuple[str, ...]:
    """A string or an array of strings; raises `InvalidRequest`."""
    if isinstance(value, str):
        return (value,)
    return tuple(text(v, f"{where}[{i}]") for i, v in enumerate(listed(value, where)))


def integer(value: Any, where: str) -> int | None:
    """An integer or null; raises `InvalidRequest`."""
    if value is None:
        return None
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise _refused(where, "an integer")
    return value


def number(value: Any, where: str) -> float | None:
    """A number or null; raises `InvalidRequest`."""
    if value is None:
        return None
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise _refused(where, "a number")
    return value


def boolean(value: Any, where: str) -> bool | None:
    """True, false or null; raises `InvalidRequest`."""
    if value is None or isinstance(value, bool):
        return value
    raise _refused(where, "true or false")


def nothing_else(value: Mapping[str, Any], known: frozenset[str]) -> Mapping[str, Any]:
    """What an object says besides its known names."""
    return MappingProxyType({name: said for name, said in value.items() if name not in known})


def _refused(where: str, what: str) -> InvalidRequest:
    return InvalidRequest(f"'{where}' must be {what}.", param=where)
