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
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, SecretStr

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


class TomlLookup:
    """Finds a model by the id that is its table's name."""

    def __init__(self, models: Mapping[str, Entry]) -> None:
        self._routes = {id: Route.of(_model(id, entry), id) for id, entry in models.items()}

    async def find(self, name: str, principal: Principal) -> Route | None:
        """The route of that id; the gateway itself checks whether this caller may use it."""
        return self._routes.get(name)


def _model(id: str, entry: Entry) -> Model:
    fields = entry.model_dump(exclude={"api_key"})
    return Model(id=id, api_key=Secret(entry.api_key.get_secret_value()), **fields)


@hookimpl
def register_model_lookups(gateway: Gateway) -> list[ModelLookup]:
    settings: Settings = gateway.settings
    text = settings.file.read_text(encoding="utf-8")
    return [TomlLookup(File.model_validate(tomllib.loads(text)).models)]
