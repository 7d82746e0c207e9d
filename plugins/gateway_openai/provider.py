"""The providers of this plugin: `openai`, and one for each vendor of the table."""

from typing import TYPE_CHECKING

from gateway import Model, Provider, ProviderClient
from gateway.protocols import Egress
from gateway.providers.vendors import Vendor, Vendors
from gateway.wire.chat import CHAT, LEGACY
from gateway.wire.plain import PLAIN
from gateway.wire.responses import KEPT, RESPONSES
from gateway_openai.destination import Destination
from gateway_openai.direct import DirectClient
from gateway_openai.library import Library
from gateway_openai.settings import Lane, Settings
from gateway_openai.vendors import read_vendors

OPENAI = "openai"
_ANYBODY = Vendor(title="")
"""Whoever is behind a base URL that the table does not know: the model's own quirks are all there is."""


class OpenAIProvider:
    """Makes a client for each base URL and credential, in the lane of the settings.

    `openai` serves everybody, and knows a vendor by the host of the base URL; the others serve the vendor they are
    called after.
    """

    speaks = frozenset((CHAT.name, LEGACY.name, PLAIN.name))

    def __init__(self, egress: Egress, lane: Lane, table: Vendors | None = None, name: str = OPENAI) -> None:
        self._egress = egress
        self._lane = lane
        self._table = table or read_vendors()
        self.name = name
        self.vendor = self._table.rows[name]
        self.base_url = self.vendor.base_url
        self._library = Library()

    def speaks_for(self, model: Model) -> frozenset[str]:
        """The dialects whose requests that model is asked as they are."""
        can = model.capabilities | self._vendor(model).capabilities
        return self.speaks | {RESPONSES.name, KEPT.name} if RESPONSES.name in can else self.speaks

    def connect(self, model: Model) -> ProviderClient:
        """A client for this model's base URL and credential."""
        destination = Destination(self._egress, model, self._vendor(model))
        if self._lane == "direct":
            return DirectClient(destination, self._library)
        from gateway_openai.sdk import SdkClient

        return SdkClient(destination)

    def _vendor(self, model: Model) -> Vendor:
        if self.name != OPENAI:
            return self.vendor
        return self._table.at(model.base_url) or _ANYBODY


def providers(egress: Egress, settings: Settings) -> list[Provider]:
    """All of them, but for those the settings leave to other plugins."""
    table = read_vendors()
    return [
        OpenAIProvider(egress, settings.lane, table, name)
        for name in table.rows
        if name == OPENAI or name not in settings.without
    ]


if TYPE_CHECKING:
    _: type[Provider] = OpenAIProvider
