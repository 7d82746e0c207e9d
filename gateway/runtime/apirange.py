"""Which versions of the plugin contract a distribution asks for, read from its metadata before its code runs."""

import re
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

Version = tuple[int, ...]

_KEYWORD = re.compile(r"gateway-api\b(.*)", re.IGNORECASE)
_CONDITION = re.compile(r"\s*(~=|>=|<=|==|<|>)\s*(\d+(?:\.\d+)*)\s*")
_COMPARE: Mapping[str, Callable[[Version, Version], bool]] = MappingProxyType(
    {
        ">=": lambda have, want: have >= want,
        "<=": lambda have, want: have <= want,
        "==": lambda have, want: have == want,
        "<": lambda have, want: have < want,
        ">": lambda have, want: have > want,
        "~=": lambda have, want: have >= want and have[: len(want) - 1] == want[:-1],
    }
)


def declared(keywords: Iterable[str]) -> tuple[str, ...]:
    """The conditions among a distribution's keywords: `gateway-api~=1.0` declares `~=1.0`."""
    found = (_KEYWORD.fullmatch(keyword.strip()) for keyword in keywords)
    return tuple(match.group(1).strip() for match in found if match)


def refusal(conditions: Iterable[str], version: str) -> str:
    """Why this version of the contract does not satisfy every condition; empty when it does."""
    have = _version(version)
    for condition in conditions:
        match = _CONDITION.fullmatch(condition)
        if match is None or (match.group(1) == "~=" and "." not in match.group(2)):
            return f"its keyword 'gateway-api{condition}' is no range of versions; write for example 'gateway-api~=1.0'"
        operator, wanted = match.group(1), _version(match.group(2))
        width = max(len(have), len(wanted))
        padded = wanted if operator == "~=" else _pad(wanted, width)
        if not _COMPARE[operator](_pad(have, width), padded):
            return f"it is written for plugin API {condition}, this gateway has {version}"
    return ""


def _version(text: str) -> Version:
    return tuple(int(part) for part in text.split("."))


def _pad(version: Version, width: int) -> Version:
    return version + (0,) * (width - len(version))
