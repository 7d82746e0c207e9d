"""What `explain` tells: the way of one request through the house, without sending it."""

from typing import Any

import msgspec

from gateway.domain import Source
from gateway.protocols import ModelHealth


class Question(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to explain."""

    model: str
    """The name or id a client would ask for."""
    key: str | None = None
    """The virtual key a client would send; without it the asker's own principal is used."""
    fields: dict[str, msgspec.Raw] = {}
    """Request fields besides `model`, `messages` among them."""
    headers: dict[str, str] = {}
    """Headers the client would send, beside its credential; names in lower case."""


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Whom the authenticators saw."""

    id: str
    owner: str | None
    scopes: list[str]
    by: str | None
    """The plugin that knew the caller; None for the asker itself."""


class LookupAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What one model lookup said."""

    plugin: str
    answer: str


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """One model of the route."""

    id: str
    name: str
    provider: str
    excluded: str | None = None
    """Why it is not tried; None when it is, in the order of the list."""
    cooling: bool = False
    """It is tried after those that are well."""
    health: ModelHealth | None = None
    """What the answering worker knows of it."""
    priority: int = 0
    """Lower is tried first."""
    weight: float = 1.0


class Left(msgspec.Struct, frozen=True, kw_only=True):
    """What the caller has left of what one limiter gives."""

    plugin: str
    left: dict[str, Any]


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What one request transform did."""

    plugin: str
    changed: dict[str, tuple[Any, Any]]
    """Fields before and after, null for absent."""
    error: str | None = None


class Sent(msgspec.Struct, frozen=True, kw_only=True):
    """The request the first candidate would get; credentials are masked."""

    method: str
    url: str
    headers: dict[str, str]
    body: str


class Price(msgspec.Struct, frozen=True, kw_only=True):
    """What the prompt alone would cost, estimated at four bytes a token."""

    input_tokens: int
    input_dollars: float | None
    """None when the model's price is not known."""
    source: Source
    """Who says the price."""


class Explanation(msgspec.Struct, kw_only=True):
    """The whole way, filled in as it is gone; what was not reached is empty, and `refused` says why."""

    generation: int
    caller: Caller | None = None
    lookups: list[LookupAnswer] = []
    route: str | None = None
    strategy: str | None = None
    candidates: list[Candidate] = []
    limits: list[Left] = []
    transforms: list[Change] = []
    upstream: Sent | None = None
    price: Price | None = None
    stages: dict[str, list[str]] = {}
    """Every stage's plugins in the order of this request's way: down to the upstream, and up again."""
    lane: str | None = None
    """How an answer would pass to a client of chat completions; None when the provider could not say."""
    refused: str | None = None
