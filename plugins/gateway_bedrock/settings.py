"""Settings of Bedrock: the table `[plugins.bedrock]`."""

from pydantic import BaseModel, ConfigDict, Field


class Settings(BaseModel):
    """Where models are that do not say it themselves."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    region: str = Field(default="", pattern=r"^([a-z]{2,}(-[a-z0-9]+)+)?$")
    """The AWS region, such as `us-east-1`, of models whose base URL names none."""
