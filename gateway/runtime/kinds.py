"""What kinds of plugins there are, and which of them the server cannot start without.

A plugin is of the kinds its hooks make it. Before its code is imported only its distribution's metadata can tell: the
keyword `gateway-kind-provider` says that it is a provider and nothing that is stricter.
"""

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType

import msgspec


class Kind(msgspec.Struct, frozen=True):
    """A kind of plugin: what a hook registers."""

    name: str
    """As in `gateway plugins new --kind` and in the keyword."""
    needed: bool
    """Whether the server refuses to start without the plugin; else it serves without, and says so."""


_AUTHENTICATOR = Kind("authenticator", needed=True)
_LOOKUP = Kind("lookup", needed=True)
_LIMITER = Kind("limiter", needed=True)
_TRANSFORM = Kind("transform", needed=True)
_SURFACE = Kind("surface", needed=True)
_PROVIDER = Kind("provider", needed=False)
_STRATEGY = Kind("strategy", needed=False)
_ERROR_MAPPER = Kind("error-mapper", needed=False)
_OBSERVER = Kind("observer", needed=False)
_SINK = Kind("sink", needed=False)
_COMMAND = Kind("command", needed=False)

KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "register_authenticators": _AUTHENTICATOR,
        "register_model_lookups": _LOOKUP,
        "register_limiters": _LIMITER,
        "register_request_transforms": _TRANSFORM,
        "register_stream_transforms": _TRANSFORM,
        "register_strategies": _STRATEGY,
        "register_providers": _PROVIDER,
        "register_stream_observers": _OBSERVER,
        "register_error_mappers": _ERROR_MAPPER,
        "register_usage_sinks": _SINK,
        "on_app_init": _SURFACE,
        "register_commands": _COMMAND,
    }
)
"""The kind that each hook makes a plugin; `lifespan` belongs to every kind."""

_ALSO = MappingProxyType({"stream-transform": _TRANSFORM.name})
"""Kinds that `gateway plugins new` tells apart and the start does not."""
_KEYWORD = re.compile(r"gateway-kind-([a-z-]+)", re.IGNORECASE)
_SKIPS = "gateway-on-error-skip"


class Declared(msgspec.Struct, frozen=True):
    """What a distribution's keywords say about its plugins."""

    kinds: frozenset[str] = frozenset()
    """Of `gateway-kind-provider`: `provider`."""
    skips: bool = False
    """`gateway-on-error-skip`: its transforms may be left out."""

    @property
    def unknown(self) -> list[str]:
        """Declared kinds that do not exist."""
        return sorted(self.kinds - names())

    def needed(self) -> bool:
        """Whether a plugin of which nothing else is known is needed; one that declares nothing is."""
        return not self.kinds or any(_needed(kind, self.skips) for kind in KINDS.values() if kind.name in self.kinds)

    def hidden(self, hooks: Iterable[str]) -> list[str]:
        """Needed kinds that the hooks have and the keywords, where they name any, do not."""
        if not self.kinds:
            return []
        kinds = (KINDS[hook] for hook in hooks if hook in KINDS)
        return sorted({kind.name for kind in kinds if kind.needed} - self.kinds)


def declared(keywords: Iterable[str]) -> Declared:
    """What a distribution's keywords declare."""
    words = [keyword.strip().lower() for keyword in keywords]
    found = (match.group(1) for word in words if (match := _KEYWORD.fullmatch(word)))
    return Declared(frozenset(_ALSO.get(kind, kind) for kind in found), _SKIPS in words)


def names() -> frozenset[str]:
    """Every kind's name."""
    return frozenset(kind.name for kind in KINDS.values())


def needed(hooks: Iterable[str], *, skips: bool) -> bool:
    """Whether a plugin with these hooks is needed; `skips` is what is declared of its transforms.

    One that has no kind, such as a plugin of a lifespan only, was enabled for a reason that nobody else knows.
    """
    kinds = [KINDS[hook] for hook in hooks if hook in KINDS]
    return not kinds or any(_needed(kind, skips) for kind in kinds)


def _needed(kind: Kind, skips: bool) -> bool:
    return kind.needed and not (skips and kind is _TRANSFORM)
