"""Settings of the Supabase lookup: the table `[plugins.supabase]`."""

import re
from typing import Final, NamedTuple, Self

import ada_url
from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from gateway import Secret

_HEADER_VALUE: Final = re.compile(r"[\x21-\x7e]+")


class Project(NamedTuple):
    """A Supabase project that can be asked."""

    url: str
    service_role_key: Secret
    timeout: float
    cache_seconds: float


class Settings(BaseModel):
    """Which Supabase project holds the models; without a URL the plugin does nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    url: str | None = None
    """The project's URL, such as `https://abc.supabase.co`. Its host must pass the egress guard like any other."""
    service_role_key: SecretStr | None = None
    """The project's service role key."""
    timeout: float = Field(default=10.0, gt=0, le=300)
    """Seconds one lookup may take."""
    cache_seconds: float = Field(default=0.0, ge=0, le=3600)
    """How long a found model is remembered; 0 asks for every exchange."""

    @field_validator("url")
    @classmethod
    def _http(cls, value: str | None) -> str | None:
        text = (value or "").strip().removesuffix("/")
        if not text:
            return None
        try:
            parsed = ada_url.URL(text)
        except ValueError:
            raise ValueError("is no URL") from None
        if parsed.protocol not in ("http:", "https:"):
            raise ValueError("must begin with 'https://' or 'http://'")
        if parsed.username or parsed.password or parsed.search or parsed.hash:
            raise ValueError("must hold neither credentials, a query nor a fragment")
        return text

    @field_validator("service_role_key")
    @classmethod
    def _usable(cls, value: SecretStr | None) -> SecretStr | None:
        text = value.get_secret_value().strip() if value else ""
        if not text:
            return None
        if not _HEADER_VALUE.fullmatch(text):
            raise ValueError("holds characters that no HTTP header can carry")
        return SecretStr(text)

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if self.url and not self.service_role_key:
            raise ValueError("url is set without service_role_key; set both or neither")
        if self.service_role_key and not self.url:
            raise ValueError("service_role_key is set without url; set both or neither")
        return self

    @property
    def project(self) -> Project | None:
        """What to ask; None while no URL is set."""
        if self.url is None or self.service_role_key is None:
            return None
        return Project(self.url, Secret(self.service_role_key.get_secret_value()), self.timeout, self.cache_seconds)
