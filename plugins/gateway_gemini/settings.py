"""Settings of Google's models: the table `[plugins.gemini]`."""

from pydantic import BaseModel, ConfigDict, field_validator

from gateway_gemini.credentials import origin_of


class Settings(BaseModel):
    """How Google's credentials are used."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    token_origins: tuple[str, ...] = ()
    """Servers besides Google's own that a credential's `token_uri` may name, such as `https://sts.example.com`; they
    are sent what tokens are made of."""

    @field_validator("token_origins")
    @classmethod
    def _origins(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        for one in given:
            if one != origin_of(one):
                raise ValueError(f"'{one}' is no origin: write it like https://sts.example.com, without a path")
        return given
