"""Settings of the limits: the table `[plugins.limits]`."""

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field

from gateway.terms import Limits


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
    """What each caller may take, beside what its own key says."""

    owner: Share = Share()
    """What all keys of one owner may take together."""
    models: Mapping[str, Share] = Field(default_factory=dict)
    """What all callers of a model or route may take together, by the name they ask for."""
    answer_tokens: int = Field(default=500, ge=0, le=1_000_000)
    """Tokens reserved for an answer where the request does not say how long it may be."""
