"""Models and routes of the settings, made into what the registry serves; the ids follow from the names."""

import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from gateway.domain import Model, Prices, Quirks, Timeouts
from gateway.registry import limits
from gateway.registry.catalog import filled
from gateway.registry.errors import Conflict, InvalidValue
from gateway.registry.models import StoredModel
from gateway.registry.routes import StoredRoute, StoredTarget
from gateway.secrets import Secret

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
    """The models and routes of the settings; raises `SettingsError` with everything wrong at once."""
    from gateway.settings import SettingsError, locate

    problems: list[str] = []
    models: dict[str, Model] = {}
    for name, table in settings.models.items():
        wrong = [(field, text) for field, text in _wrong(name, table)]
        problems += [f"{locate(('models', name, *field), settings.origins).text}: {text}" for field, text in wrong]
        if not wrong:
            made = _model(name, table)
            models[made.id] = made
    by_name = {name: _id("models", name) for name in settings.models}
    routes = []
    for name, route in settings.routes.items():
        targets = [_target(target.model, by_name) for target in route.targets]
        for number, found in enumerate(targets):
            if isinstance(found, InvalidValue):
                place = locate(("routes", name, "targets", str(number)), settings.origins).text
                problems.append(f"{place}: {found}")
        if not any(isinstance(found, InvalidValue) for found in targets):
            routes.append(_route(name, [str(found) for found in targets], settings))
    if problems:
        raise SettingsError(problems)
    places = {
        _id(kind, name): _place(kind, name, settings)
        for kind in ("models", "routes")
        for name in getattr(settings, kind)
    }
    return Declared(models, tuple(routes), places)


def _id(kind: str, name: str) -> str:
    return str(uuid.uuid5(_OURS, f"{kind}/{name}"))


def _place(kind: str, name: str, settings: "Settings") -> str:
    """The table, in the words of the first source that says something in it."""
    path = (kind, name)
    for known, origin in settings.origins.items():
        if known[:2] == path:
            return origin.text if origin.environment else f"{origin.text.partition(': ')[0]}: {kind}.{name}"
    return f"{kind}.{name}"


def _wrong(name: str, table: "DeclaredModel") -> Iterator[tuple[tuple[str, ...], str]]:
    """What no model can have, each with its key."""
    checks: list[tuple[tuple[str, ...], Callable[[], object]]] = [
        ((), lambda: limits.required("name", name)),
        (("model_id",), lambda: limits.required("model_id", table.model_id)),
        (("base_url",), lambda: limits.base_url(table.base_url)),
        (("api_key",), lambda: limits.api_key(table.api_key.get_secret_value())),
        (("provider",), lambda: limits.required("provider", table.provider)),
        (("description",), lambda: limits.check_text("description", table.description)),
        (("headers",), lambda: limits.structured("headers", _headers(table))),
        (("parameters",), lambda: limits.structured("parameters", dict(table.parameters))),
        (("quirks",), lambda: limits.structured("quirks", dict(table.quirks))),
        (("timeouts",), lambda: limits.structured("timeouts", dict(table.timeouts))),
        (("prices",), lambda: limits.structured("prices", dict(table.prices))),
    ]
    for key, check in checks:
        try:
            check()
        except InvalidValue as error:
            text = str(error).removesuffix(".")
            yield key, text[:1].lower() + text[1:]


def _headers(table: "DeclaredModel") -> dict[str, str]:
    return {name: value.get_secret_value() for name, value in table.headers.items()}


def _model(name: str, table: "DeclaredModel") -> Model:
    return Model(
        id=_id("models", name),
        name=limits.required("name", name),
        model_id=limits.required("model_id", table.model_id),
        base_url=limits.base_url(table.base_url),
        api_key=Secret(limits.api_key(table.api_key.get_secret_value())),
        provider=table.provider,
        sharing=table.sharing,
        description=table.description,
        context_length=table.context_length,
        enabled=table.enabled,
        parameters=dict(table.parameters),
        quirks=msgspec.convert(dict(table.quirks), Quirks),
        headers=_headers(table),
        timeouts=msgspec.convert(dict(table.timeouts), Timeouts),
        prices=msgspec.convert(dict(table.prices), Prices),
        capabilities=frozenset(table.capabilities),
    )


def _target(name: str, by_name: Mapping[str, str]) -> str | InvalidValue:
    """The id of the model that is meant."""
    from gateway.settings import suggest

    if name in by_name:
        return by_name[name]
    try:
        return limits.canonical_uuid(name)
    except InvalidValue:
        hint = suggest(name, by_name)
        return InvalidValue(f"there is no [models.{name[:100]}]{hint}; a model of the registry is named by its id")


def _route(name: str, ids: list[str], settings: "Settings") -> StoredRoute:
    table = settings.routes[name]
    return StoredRoute(
        id=_id("routes", name),
        name=limits.required("name", name),
        strategy=table.strategy,
        targets=tuple(
            StoredTarget(id, target.weight, target.priority, target.when)
            for id, target in zip(ids, table.targets, strict=True)
        ),
        options=table.options,
        owner=None,
        sharing=table.sharing,
        enabled=table.enabled,
        managed_by=_place("routes", name, settings),
    )


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
