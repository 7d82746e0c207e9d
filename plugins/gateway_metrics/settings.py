"""Settings of the metrics: the table `[plugins.metrics]`."""

from typing import Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

ModelLabel: TypeAlias = Literal["name", "id"]
Gaps: TypeAlias = Literal["mean", "each"]


class Settings(BaseModel):
    """What is measured, and where it is shown."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str = Field(default="/metrics", pattern=r"^(/[A-Za-z0-9._~-]+)+$")
    """The path for keys of the scope `admin`."""
    port: int | None = Field(default=None, ge=1, le=65535)
    """A port of its own that serves `/metrics` to everybody who reaches it; none = the path alone."""
    host: str = Field(default="127.0.0.1", min_length=1)
    """Address of that port; another than loopback shows the numbers to others."""
    model_label: ModelLabel = "name"
    """What the label `model` holds: the registry's name of the model, or its id."""
    models: int = Field(default=200, ge=0, le=10_000)
    """How many models get a label of their own in each worker; the others are `other` together."""
    gaps: Gaps = "mean"
    """`mean` observes an answer's mean gap between content events once, at its end; `each` every gap, for about a
    microsecond a read."""
