"""Models out of a TOML file instead of a database.

    [models."11111111-1111-4111-8111-111111111111"]
    name = "Local"
    base_url = "http://127.0.0.1:11434/v1"
    model_id = "llama3"
    api_key = "sk-..."
    sharing = "public"

Switch it on with `[plugins.toml_lookup]`: `enabled = true`, `file = "models.toml"`.
"""

import tomllib
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, SecretStr, field_validator

from gateway import Gateway, Model, ModelLookup, Principal, Route, Secret, hookimpl


class Settings(BaseModel):
    """The table `[plugins.toml_lookup]`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: Path
    """The file that holds the models; read once, at start."""


class Entry(BaseModel):
    """One model of the file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    base_url: str
    model_id: str
    api_key: SecretStr = SecretStr("")
    provider: str = "openai"
    owner: str | None = None
    sharing: str = "private"


class File(BaseModel):
    """The whole file."""

    models: dict[str, Entry]

    @field_validator("models")
    @classmethod
    def _each_with_a_name_of_its_own(cls, models: dict[str, Entry]) -> dict[str, Entry]:
        names = Counter(entry.name for entry in models.values())
        for name, count in names.items():
            if count > 1:
                raise ValueError(f"two models are called '{name}'")
        return models


class TomlLookup:
    """Finds a model by its name, or by the id that is its table's name."""

    def __init__(self, models: Mapping[str, Entry]) -> None:
        found = {id: _model(id, entry) for id, entry in models.items()}
        by_name = {model.name: Route.of(model) for model in found.values()}
        # An id is never hidden by a name: clients may keep ids, and names are edited.
        self._routes = by_name | {id: Route.of(model, id) for id, model in found.items()}

    async def find(self, name: str, principal: Principal) -> Route | None:
        """The route of that name or id; the gateway itself checks whether this caller may use it."""
        return self._routes.get(name)


def _model(id: str, entry: Entry) -> Model:
    fields = entry.model_dump(exclude={"api_key"})
    return Model(id=id, api_key=Secret(entry.api_key.get_secret_value()), **fields)


@hookimpl
def register_model_lookups(gateway: Gateway) -> list[ModelLookup]:
    settings: Settings = gateway.settings
    text = settings.file.read_text(encoding="utf-8")
    return [TomlLookup(File.model_validate(tomllib.loads(text)).models)]
