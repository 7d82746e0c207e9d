"""On what terms a model takes part in a route, what a route asks for besides its targets, what a caller may take."""

import math
import re
from typing import Final, Literal

import msgspec

Kind = Literal["tag", "key", "header", "shorter", "longer"]

FORMS: Final = "tag:NAME, key:ID_OR_NAME, header:NAME, header:NAME=VALUE, tokens<N or tokens>=N"
"""How conditions are written."""
TAGS_HEADER: Final = "x-gateway-tags"
"""A client's tags, parted by commas; `metadata.tags` of the request is the other place for them."""
AFFINITIES: Final = "key, user or header:NAME"
"""How an affinity is written."""
_TOKENS: Final = re.compile(r"tokens\s*(<|>=)\s*([0-9]{1,12})")
_HEADER: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
CREDENTIALS: Final = frozenset({"authorization", "proxy-authorization", "x-api-key", "api-key", "cookie"})
"""Headers that prove who calls; nobody routes by them."""
_MOST: Final = 1_000_000_000


class Condition(msgspec.Struct, frozen=True):
    """One thing that a request has to be, so that a target takes part.

    `tag`: it bears this tag. `key`: it was sent with the virtual key of this id or name. `header`: it has this header,
    with this value where there is one. `shorter`, `longer`: its estimated tokens are fewer than, or at least, `tokens`.
    """

    kind: Kind
    name: str = ""
    """Of the tag, the key or the header; headers in lower case."""
    value: str | None = None
    """Of the header; None = any."""
    tokens: int = 0

    @classmethod
    def read(cls, text: str) -> "Condition":
        """The condition as people write it (see `FORMS`); raises `ValueError` in words."""
        text = text.strip()
        if found := _TOKENS.fullmatch(text):
            return cls("shorter" if found[1] == "<" else "longer", tokens=int(found[2]))
        kind, colon, name = text.partition(":")
        if not colon or not name.strip():
            raise ValueError(f"the condition {text[:80]!r} is none of {FORMS}")
        name = name.strip()
        if kind == "tag":
            return cls("tag", name)
        if kind == "key":
            return cls("key", name)
        if kind != "header":
            raise ValueError(f"the condition {text[:80]!r} is none of {FORMS}")
        name, equals, value = name.partition("=")
        return cls("header", header_name(name), value.strip() if equals else None)

    def __str__(self) -> str:
        if self.kind in ("shorter", "longer"):
            return f"tokens{'<' if self.kind == 'shorter' else '>='}{self.tokens}"
        return f"{self.kind}:{self.name}" if self.value is None else f"{self.kind}:{self.name}={self.value}"


class Limits(msgspec.Struct, frozen=True):
    """What a caller may take; None is not said, and so unlimited."""

    rpm: int | None = None
    """Requests per minute."""
    tpm: int | None = None
    """Tokens per minute, of prompts and answers together."""
    concurrent: int | None = None
    """Requests at one time."""

    def checked(self) -> "Limits":
        """The same; raises `ValueError` in words for what cannot be."""
        for name in self.__struct_fields__:
            if (limit := getattr(self, name)) is not None and not 1 <= limit <= _MOST:
                raise ValueError(f"the limit {name} is {limit}, and not a number from 1 to {_MOST}")
        return self

    def __str__(self) -> str:
        said = ((name, getattr(self, name)) for name in self.__struct_fields__)
        return ", ".join(f"{name} {limit}" for name, limit in said if limit is not None)

    def over(self, defaults: "Limits") -> "Limits":
        """These and, where they say nothing, the defaults."""
        return Limits(
            defaults.rpm if self.rpm is None else self.rpm,
            defaults.tpm if self.tpm is None else self.tpm,
            defaults.concurrent if self.concurrent is None else self.concurrent,
        )


class Terms(msgspec.Struct, frozen=True):
    """On what terms one target takes part."""

    weight: float = 1.0
    """Its share among targets of one priority, for strategies that go by it; 0 = only when the others fail."""
    priority: int = 0
    """Lower is tried first; a higher one only when all of the lower are excluded or failed."""
    when: tuple[Condition, ...] = ()
    """All of them have to hold."""

    def checked(self) -> "Terms":
        """The same; raises `ValueError` in words for what cannot be."""
        if not math.isfinite(self.weight) or self.weight < 0:
            raise ValueError(f"the weight {self.weight:g} is not a number from 0 up")
        if not 0 <= self.priority <= 1000:
            raise ValueError(f"the priority {self.priority} is not a number from 0 to 1000")
        return self


class Hedge(msgspec.Struct, frozen=True):
    """When a second target is asked because the first one is slow to begin."""

    percentile: float = 95.0
    """Of the times to first content of the route's first targets: who takes longer is slow."""
    budget: float = 0.05
    """The share of requests that may be asked twice."""

    def checked(self) -> "Hedge":
        """The same; raises `ValueError` in words for what cannot be."""
        if not 0 < self.percentile < 100:
            raise ValueError(f"the percentile {self.percentile:g} is not between 0 and 100")
        if not 0 < self.budget <= 1:
            raise ValueError(f"the budget {self.budget:g} is not a share between 0 and 1")
        return self


class RouteOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What a route asks for besides its targets."""

    affinity: str = ""
    """What makes requests belong together, for strategies that keep them on one target: `key`, `user` or `header:NAME`;
    empty = the strategy's own choice."""
    hedge: Hedge | None = None
    """None = never ask twice."""

    def checked(self) -> "RouteOptions":
        """The same; raises `ValueError` in words for what cannot be."""
        if self.hedge is not None:
            self.hedge.checked()
        if self.affinity in ("", "key", "user"):
            return self
        kind, _, name = self.affinity.partition(":")
        if kind != "header":
            raise ValueError(f"the affinity {self.affinity[:80]!r} is none of {AFFINITIES}")
        return msgspec.structs.replace(self, affinity=f"header:{header_name(name)}")


def header_name(text: str) -> str:
    """The name of a header in lower case; raises `ValueError` for what is none, and for those that hold credentials."""
    name = text.strip().lower()
    if not _HEADER.fullmatch(name):
        raise ValueError(f"{text[:80]!r} is no name of a header")
    if name in CREDENTIALS:
        raise ValueError(f"the header {name} holds a credential, which no route may look at: use key")
    return name
