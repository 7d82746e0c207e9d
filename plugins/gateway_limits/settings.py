"""Settings of the limits: the table `[plugins.limits]`."""

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from gateway.terms import Limits

_SCHEMES = ("redis://", "rediss://", "unix://")


class Share(BaseModel):
    """Limits; none = unlimited."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    rpm: int | None = Field(default=None, ge=1)
    """Requests per minute."""
    tpm: int | None = Field(default=None, ge=1)
    """Tokens per minute, of prompts and answers together."""
    concurrent: int | None = Field(default=None, ge=1)
    """Requests at one time."""

    def limits(self) -> Limits:
        """The same for the gateway."""
        return Limits(rpm=self.rpm, tpm=self.tpm, concurrent=self.concurrent)


class Settings(Share):
    """What each caller may take, beside what its own key says, and where that is counted."""

    owner: Share = Share()
    """What all keys of one owner may take together."""
    models: Mapping[str, Share] = Field(default_factory=dict)
    """What all callers of a model or route may take together, by the name they ask for."""
    answer_tokens: int = Field(default=500, ge=0, le=1_000_000)
    """Tokens reserved for an answer where the request does not say how long it may be."""
    url: SecretStr | None = None
    """`redis://`, `rediss://` or `unix://`: count there, for all workers and hosts; none = each process by itself."""
    patience: float = Field(default=0.1, gt=0, le=5)
    """Seconds that a request waits for that server; then the process counts by itself until the server is back."""

    @field_validator("url")
    @classmethod
    def _known_scheme(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not value.get_secret_value().startswith(_SCHEMES):
            raise ValueError(f"must begin with {', '.join(_SCHEMES[:-1])} or {_SCHEMES[-1]}")
        return value
