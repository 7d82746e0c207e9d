"""Settings of the OpenAI provider: the table `[plugins.openai]`."""

from typing import Literal, TypeAlias

from pydantic import BaseModel, ConfigDict

Lane: TypeAlias = Literal["direct", "sdk"]


class Settings(BaseModel):
    """How OpenAI-compatible upstreams are called."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    lane: Lane = "direct"
    """`direct` sends the request's bytes itself; `sdk` sends the same bytes through the openai SDK's client, for
    instrumentation that hooks into it. What clients and upstreams see is the same."""
    without: tuple[str, ...] = ()
    """Providers of this plugin that another plugin brings, such as `groq`."""
