"""Models and routes of the settings, made into what the registry serves; the ids follow from the names."""

import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from gateway.domain import Model, Prices, Quirks, Timeouts
from gateway.registry.catalog import filled
from gateway.registry.errors import Conflict
from gateway.registry.models import StoredModel
from gateway.registry.routes import StoredRoute, StoredTarget
from gateway.secrets import Secret
from gateway.settings.limits import canonical_uuid

if TYPE_CHECKING:
    from gateway.settings import DeclaredModel, Settings

_OURS: Final = uuid.UUID("6c1e54d0-93a5-4f7a-9d0c-5a3f1c0f7c11")
"""The space of these ids: the same on every host that reads the same file."""


class Declared(NamedTuple):
    """What the settings say, checked."""

    models: Mapping[str, Model]
    """By id."""
    routes: tuple[StoredRoute, ...]
    places: Mapping[str, str]
    """Where each stands, by id: `gateway.toml: models.gpt`."""

    async def completed(self) -> "Declared":
        """The same with prices and context lengths that only the catalog knows."""
        return self._replace(models=await filled(self.models))

    def refuse_change(self, id: str) -> None:
        """Raise `Conflict` where that is a model or route of the settings, with the place to change it."""
        if (place := self.places.get(id)) is not None:
            raise Conflict(f"It is managed by the settings: change it in {place}.")

    def shown(self) -> list[StoredModel]:
        """Its models as the command line shows them."""
        return [_shown(model, self.places[model.id]) for model in self.models.values()]


def declared(settings: "Settings") -> Declared:
    """The models and routes of the settings, which have checked them."""
    models = [_model(name, table) for name, table in settings.models.items()]
    places = {
        _id(kind, name): _place(kind, name, settings)
        for kind in ("models", "routes")
        for name in getattr(settings, kind)
    }
    return Declared(
        {model.id: model for model in models}, tuple(_route(name, settings) for name in settings.routes), places
    )


def _id(kind: str, name: str) -> str:
    return str(uuid.uuid5(_OURS, f"{kind}/{name}"))


def _place(kind: str, name: str, settings: "Settings") -> str:
    """The table, in the words of the first source that says something in it."""
    path = (kind, name)
    for known, origin in settings.origins.items():
        if known[:2] == path:
            return origin.text if origin.environment else f"{origin.text.partition(': ')[0]}: {kind}.{name}"
    return f"{kind}.{name}"


def _model(name: str, table: "DeclaredModel") -> Model:
    return Model(
        id=_id("models", name),
        name=name.strip(),
        model_id=table.model_id,
        base_url=table.base_url,
        api_key=Secret(table.api_key.get_secret_value()),
        provider=table.provider,
        sharing=table.sharing,
        description=table.description,
        context_length=table.context_length,
        enabled=table.enabled,
        parameters=dict(table.parameters),
        quirks=msgspec.convert(table.quirks.model_dump(exclude_none=True), Quirks),
        headers={name: value.get_secret_value() for name, value in table.headers.items()},
        timeouts=msgspec.convert(table.timeouts.model_dump(exclude_none=True), Timeouts),
        prices=msgspec.convert(table.prices.model_dump(exclude_none=True), Prices),
        capabilities=frozenset(table.capabilities),
    )


def _route(name: str, settings: "Settings") -> StoredRoute:
    table = settings.routes[name]
    return StoredRoute(
        id=_id("routes", name),
        name=name.strip(),
        strategy=table.strategy,
        targets=tuple(
            StoredTarget(_target(one.model, settings), one.weight, one.priority, one.when) for one in table.targets
        ),
        options=table.options,
        owner=None,
        sharing=table.sharing,
        enabled=table.enabled,
        managed_by=_place("routes", name, settings),
    )


def _target(name: str, settings: "Settings") -> str:
    """The id of the model that is meant."""
    return _id("models", name) if name in settings.models else canonical_uuid(name)


def _shown(model: Model, place: str) -> StoredModel:
    return StoredModel(
        id=model.id,
        name=model.name,
        provider=model.provider,
        model_id=model.model_id,
        base_url=model.base_url,
        has_api_key=bool(model.api_key),
        api_key=f"in {place}" if model.api_key else "none",
        owner=model.owner,
        sharing=model.sharing,
        enabled=model.enabled,
        context_length=model.context_length or 0,
        description=model.description,
        parameters=dict(model.parameters),
        quirks=msgspec.to_builtins(model.quirks),
        timeouts=msgspec.to_builtins(model.timeouts),
        headers=tuple(model.headers),
        prices=msgspec.to_builtins(model.prices),
        capabilities=tuple(sorted(model.capabilities)),
        folder_id=None,
        managed_by=place,
    )
