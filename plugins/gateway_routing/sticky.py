"""The strategy `sticky`: what belongs together goes to one target, for its caches' sake."""

import hashlib
import math
from collections.abc import Callable, Sequence
from random import random
from typing import TYPE_CHECKING, Any

import msgspec

from gateway import ChatRequest, Exchange, HealthView, Model, Route, RoutingStrategy
from gateway_routing.weighted import draw


class Sticky:
    """Orders by rendezvous hashing of the route's affinity, by weight.

    While a target cools down its requests go to the next in their own order, and come back; nobody else's move. The
    same holds when a target is added or taken away. A request without the affinity's value is drawn by weight.
    """

    name = "sticky"

    def __init__(self, chance: Callable[[], float] = random) -> None:
        self._chance = chance

    def order(
        self, route: Route, request: ChatRequest, health: HealthView, exchange: Exchange | None = None
    ) -> Sequence[Model]:
        """The affinity's own target first."""
        value = affinity(route.options.affinity or "key", request, exchange)

        def place(model: Model) -> tuple[bool, float]:
            chance = self._chance if value is None else lambda: _hashed(value, model.id)
            return health.cooling(model), draw(route.terms_of(model).weight, chance)

        return sorted(route.targets, key=place)


def affinity(kind: str, request: ChatRequest, exchange: Exchange | None) -> str | None:
    """What requests that belong together share; None when this one says nothing."""
    if kind == "user" and (user := _user(request)) is not None:
        return f"user:{user}"
    if exchange is None:
        return None
    if kind.startswith("header:"):
        return exchange.header(kind.removeprefix("header:"))
    caller = exchange.principal
    if caller is None:
        return None
    return f"owner:{caller.owner}" if kind == "user" and caller.owner is not None else f"key:{caller.id}"


def _user(request: ChatRequest) -> str | None:
    """Whom the client says it asks for: OpenAI's `user` and what followed it, or `metadata.user_id` of messages."""
    for name in ("safety_identifier", "user", "metadata"):
        said = _decoded(request.fields.get(name))
        if isinstance(said, dict):
            said = said.get("user_id")
        if isinstance(said, str) and said:
            return said
    return None


def _decoded(raw: msgspec.Raw | None) -> Any:
    try:
        return None if raw is None else msgspec.json.decode(raw)
    except msgspec.DecodeError:
        return None


def _hashed(value: str, target: str) -> float:
    """A number from 0 up to 1, the same on every host."""
    text = f"{len(value)}:{value}{target}".encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(text, digest_size=6).digest()) / math.ldexp(1, 48)


if TYPE_CHECKING:
    _: type[RoutingStrategy] = Sticky
