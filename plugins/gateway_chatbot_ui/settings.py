"""Settings of the custom route: the table `[plugins.chatbot_ui]`."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints


class Settings(BaseModel):
    """Where the route is, who may call it, and one of its words."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Annotated[str, StringConstraints(pattern=r"^(/[A-Za-z0-9._~-]+)+$")] = "/api/chat/custom"
    """The route's path."""
    open_route: bool = False
    """Anybody on this machine may call the route with any model, as in the original; no key is asked for."""
    open_route_beyond_loopback: bool = False
    """Anybody else who can reach the gateway, too. Put something in front that knows its callers."""
    not_found_message: str = "Cannot coerce the result to a single JSON object"
    """What is said of an unknown model; older data layers: `JSON object requested, multiple (or no) rows returned`."""
