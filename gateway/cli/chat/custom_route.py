"""The question as the custom route takes it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from gateway.cli.endings import Failed
from gateway.cli.opened import work

if TYPE_CHECKING:
    from gateway.registry import Database, StoredModel

_TEMPERATURE = 0.5
"""Chatbot UI's."""


class Asked(NamedTuple):
    """A model as the route wants it named."""

    id: str
    model_id: str
    name: str


class Turn(msgspec.Struct, frozen=True):
    """What one side said."""

    role: str
    content: str


def chosen(name: str | None) -> Asked:
    """The model of that name or id; without one, the only model there is."""
    model = work(lambda database: _only(database) if name is None else _named(database, name))
    if not model.enabled:
        raise Failed(f"The model {model.name} is disabled: `gateway models update {model.id} --enable`.")
    return Asked(model.id, model.model_id, model.name)


async def _named(database: "Database", name: str) -> "StoredModel":
    from gateway.registry import ModelStore

    return await ModelStore(database).find(name)


async def _only(database: "Database") -> "StoredModel":
    from gateway.registry import ModelStore

    models = [model for model in await ModelStore(database).all() if model.enabled]
    if not models:
        raise Failed("There are no models yet: add one with `gateway models add`.")
    if len(models) > 1:
        raise Failed(f"Which model? Name it with -m: {', '.join(sorted({model.name for model in models}))}.")
    return models[0]


def body(model: Asked, turns: Sequence[Turn]) -> bytes:
    """The request's body."""
    settings = {"model": model.model_id, "temperature": _TEMPERATURE}
    return msgspec.json.encode({"chatSettings": settings, "messages": turns, "customModelId": model.id})
