"""Providers with a wire format of their own."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from gateway.domain import Attempt, Model
from gateway.errors import Headers
from gateway.protocols import ByteUpstream, Egress, Gateway, Provider, ProviderClient, UpstreamDialect
from gateway.providers.headers import merged, with_client
from gateway.providers.sending import send
from gateway.requests import ChatRequest


class DialectProvider:
    """A provider that is an `UpstreamDialect`, a URL and headers; the fastest kind.

    Set `name` and `dialect`; override `url` and `headers` where they differ from OpenAI's.
    """

    name: str
    dialect: UpstreamDialect
    also: Mapping[str, UpstreamDialect] = MappingProxyType({})
    """Other dialects it speaks, by name: a request in one of them goes to the path the client asked for."""
    base_url = ""
    """Where models without a base URL of their own are asked."""
    path = "/chat/completions"
    """What is appended to the base URL."""
    _egress: Egress

    def bind(self, gateway: Gateway) -> None:
        """Called once, when the provider is registered."""
        self._egress = gateway.egress

    @property
    def speaks(self) -> frozenset[str]:
        """The dialects whose requests it is asked as they are."""
        return frozenset((self.dialect.name, *self.also))

    def spoken(self, request: ChatRequest) -> UpstreamDialect:
        """The dialect that a request is written in, and its answer read."""
        return self.also.get(request.dialect, self.dialect)

    def path_of(self, request: ChatRequest) -> str:
        """What is appended to the base URL for a request."""
        return request.path if request.dialect in self.also else self.path

    def url(self, request: ChatRequest, model: Model) -> str:
        """Where a request goes."""
        return (model.base_url or self.base_url).rstrip("/") + self.path_of(request)

    def headers(self, model: Model) -> Headers:
        """What it carries besides its body, names in lower case; the model's own headers take their place."""
        return (("content-type", "application/json"), ("authorization", f"Bearer {model.api_key.reveal()}".strip()))

    def headers_for(self, request: ChatRequest, model: Model) -> Headers:
        """The same for one request, for a provider whose paths want different ones."""
        return self.headers(model)

    def connect(self, model: Model) -> ProviderClient:
        """A client for this base URL and credential."""
        return _Client(self, self._egress)


class _Client:
    def __init__(self, provider: DialectProvider, egress: Egress) -> None:
        self._provider = provider
        self._egress = egress

    async def open(self, request: ChatRequest, attempt: Attempt) -> ByteUpstream:
        provider, model = self._provider, attempt.model
        dialect = provider.spoken(request)
        headers = merged(with_client(provider.headers_for(request, model), request, dialect), model)
        body = dialect.write_request(request, model)
        stream = await send(self._egress, request.method, provider.url(request, model), headers, body, attempt)
        return ByteUpstream(dialect, stream)

    async def aclose(self) -> None:
        """Nothing is held: connections belong to egress."""


if TYPE_CHECKING:
    _: type[Provider] = DialectProvider
