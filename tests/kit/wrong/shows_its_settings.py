"""Wrong: its secret setting is plain text."""

from pydantic import BaseModel, ConfigDict

from gateway import Provider, hookimpl


class Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    api_key: str = ""


@hookimpl
def register_providers() -> list[Provider]:
    return []
