"""Settings of Azure: the table `[plugins.azure]`."""

from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator


class Settings(BaseModel):
    """Who the gateway is at Microsoft Entra ID, for models without a key of their own."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tenant_id: str = Field(default="", pattern=r"^[A-Za-z0-9.-]*$")
    """The directory (tenant) of the application."""
    client_id: str = ""
    """The application (client) id. It is used for the operator's own models alone, never for one that has an owner."""
    client_secret: SecretStr = SecretStr("")
    """The application's secret."""
    authority: str = "https://login.microsoftonline.com"
    """Where tokens are asked for; national clouds have their own."""
    scope: str = "https://cognitiveservices.azure.com/.default"
    """What tokens are asked for."""

    @field_validator("authority")
    @classmethod
    def _origin(cls, given: str) -> str:
        parts = urlsplit(given)
        if parts.scheme not in ("https", "http") or not parts.hostname or parts.query or parts.username:
            raise ValueError("is no address: write it like https://login.microsoftonline.com")
        return given.rstrip("/")

    @model_validator(mode="after")
    def _whole(self) -> "Settings":
        given = (self.tenant_id, self.client_id, self.client_secret.get_secret_value())
        if any(given) and not all(given):
            raise ValueError("tenant_id, client_id and client_secret belong together: give all three or none")
        return self
