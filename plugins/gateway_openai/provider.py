"""The provider `openai`: everything that speaks OpenAI's chat completions."""

from typing import TYPE_CHECKING

from gateway import Model, Provider, ProviderClient
from gateway.protocols import Egress
from gateway_openai.direct import DirectClient
from gateway_openai.library import Library
from gateway_openai.settings import Lane


class OpenAIProvider:
    """Makes a client for each base URL and credential, in the lane of the settings."""

    name = "openai"

    def __init__(self, egress: Egress, lane: Lane) -> None:
        self._egress = egress
        self._lane = lane
        self._library = Library()

    def connect(self, model: Model) -> ProviderClient:
        """A client for this model's base URL and credential."""
        if self._lane == "direct":
            return DirectClient(self._egress, model, self._library)
        from gateway_openai.sdk import SdkClient

        return SdkClient(self._egress, model)


if TYPE_CHECKING:
    _: type[Provider] = OpenAIProvider
