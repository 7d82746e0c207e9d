"""Providers with a wire format of their own."""

from typing import TYPE_CHECKING

from gateway.domain import Attempt, Model
from gateway.errors import Headers
from gateway.protocols import ByteUpstream, Egress, Gateway, Provider, ProviderClient, UpstreamDialect
from gateway.providers.headers import merged
from gateway.providers.sending import send
from gateway.requests import ChatRequest


class DialectProvider:
    """A provider that is an `UpstreamDialect`, a URL and headers; the fastest kind.

    Set `name` and `dialect`; override `url` and `headers` where they differ from OpenAI's.
    """

    name: str
    dialect: UpstreamDialect
    base_url = ""
    """Where models without a base URL of their own are asked."""
    path = "/chat/completions"
    """What is appended to the base URL."""
    _egress: Egress

    def bind(self, gateway: Gateway) -> None:
        """Called once, when the provider is registered."""
        self._egress = gateway.egress

    def url(self, request: ChatRequest, model: Model) -> str:
        """Where a request goes."""
        return (model.base_url or self.base_url).rstrip("/") + self.path

    def headers(self, model: Model) -> Headers:
        """What it carries besides its body, names in lower case; the model's own headers take their place."""
        return (("content-type", "application/json"), ("authorization", f"Bearer {model.api_key.reveal()}".strip()))

    def connect(self, model: Model) -> ProviderClient:
        """A client for this base URL and credential."""
        return _Client(self, self._egress)


class _Client:
    def __init__(self, provider: DialectProvider, egress: Egress) -> None:
        self._provider = provider
        self._egress = egress

    async def open(self, request: ChatRequest, attempt: Attempt) -> ByteUpstream:
        provider, model = self._provider, attempt.model
        asked = request.headers if request.dialect == provider.dialect.name else ()
        headers = merged((*provider.headers(model), *asked), model)
        body = provider.dialect.write_request(request, model)
        stream = await send(self._egress, "POST", provider.url(request, model), headers, body, attempt)
        return ByteUpstream(provider.dialect, stream)

    async def aclose(self) -> None:
        """Nothing is held: connections belong to egress."""


if TYPE_CHECKING:
    _: type[Provider] = DialectProvider
