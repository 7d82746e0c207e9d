"""The provider `azure`: where a request goes, and by what it is let in."""

from collections.abc import Mapping
from importlib import resources
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from gateway import Attempt, ChatRequest, Model, Provider, ProviderClient, UpstreamDialect, UpstreamError, __version__
from gateway.errors import Headers
from gateway.protocols import ByteStream, ByteUpstream, Egress
from gateway.providers.headers import merged, with_client
from gateway.providers.sending import send
from gateway.providers.vendors import Vendor, Vendors
from gateway.secrets import Secret
from gateway.wire.chat import CHAT, LEGACY
from gateway.wire.plain import PLAIN
from gateway.wire.responses import KEPT, RESPONSES
from gateway_azure.entra import Application, EntraTokens, application_in
from gateway_azure.places import is_v1, url
from gateway_azure.settings import Settings

_DIALECTS: Final[Mapping[str, UpstreamDialect]] = MappingProxyType(
    {d.name: d for d in (CHAT, LEGACY, PLAIN, RESPONSES, KEPT)}
)
_PATHS: Final = {CHAT.name: "/chat/completions", RESPONSES.name: "/responses"}
_HEADERS: Final[Headers] = (
    ("content-type", "application/json"),
    ("accept", "application/json"),
    ("user-agent", f"litestar-gateway/{__version__}"),
)


class AzureProvider:
    """OpenAI's API as Azure serves it: with a key, or with a token of Entra ID."""

    name = "azure"
    speaks = frozenset((CHAT.name, LEGACY.name, PLAIN.name))

    def __init__(self, egress: Egress, settings: Settings) -> None:
        self._egress = egress
        self._settings = settings
        self._tokens: dict[Application, EntraTokens] = {}
        secret = settings.client_secret.get_secret_value()
        self._own = Application(settings.tenant_id, settings.client_id, Secret(secret)) if secret else None
        self.vendor = Vendors.read(resources.files("gateway_azure").joinpath("vendor.toml").read_text("utf-8")).rows[
            self.name
        ]

    def speaks_for(self, model: Model) -> frozenset[str]:
        """The dialects whose requests that model is asked as they are; deployments have no responses."""
        return self.speaks | {RESPONSES.name, KEPT.name} if is_v1(model.base_url) else self.speaks

    def connect(self, model: Model) -> ProviderClient:
        """A client for this base URL and credential; raises `ModelMisconfigured` for a key that is none."""
        return _Client(self, self._egress, application_in(model.api_key))

    def tokens_of(self, application: Application | None, model: Model) -> EntraTokens | None:
        """Where tokens for a model come from: its own application, else the gateway's; None for one with a key.

        A model that somebody owns never gets the gateway's: its base URL is the owner's to choose.
        """
        if application is None and not model.api_key and model.owner is None:
            application = self._own
        if application is None:
            return None
        if (tokens := self._tokens.get(application)) is None:
            settings = self._settings
            tokens = EntraTokens(application, self._egress, authority=settings.authority, scope=settings.scope)
            self._tokens[application] = tokens
        return tokens


class _Client:
    """Calls with one credential, and goes for another token once where its own is refused."""

    def __init__(self, provider: AzureProvider, egress: Egress, application: Application | None) -> None:
        self._provider = provider
        self._egress = egress
        self._application = application

    async def open(self, request: ChatRequest, attempt: Attempt) -> ByteUpstream:
        model, provider = attempt.model, self._provider
        spoken = request.dialect if request.dialect in provider.speaks_for(model) else CHAT.name
        dialect = _DIALECTS[spoken]
        body = _written(provider.vendor, request, model, dialect)
        tokens = provider.tokens_of(self._application, model)
        if tokens is None:
            key = model.api_key.reveal().strip()
            proof: Headers = (("api-key", key),) if key else ()
            return ByteUpstream(dialect, await self._send(request, attempt, dialect, body, proof))
        if attempt.dry:
            return ByteUpstream(dialect, await self._send(request, attempt, dialect, body, _bearer(Secret("token"))))
        token = await tokens.get(model)
        try:
            stream = await self._send(request, attempt, dialect, body, _bearer(token))
        except UpstreamError as error:
            if error.status != 401:
                raise
            tokens.forget(token)
            stream = await self._send(request, attempt, dialect, body, _bearer(await tokens.get(model)))
        return ByteUpstream(dialect, stream)

    async def aclose(self) -> None:
        """Nothing is held: connections belong to egress."""

    async def _send(
        self, request: ChatRequest, attempt: Attempt, dialect: UpstreamDialect, body: bytes, proof: Headers
    ) -> ByteStream:
        model = attempt.model
        where = url(model.base_url, _PATHS.get(dialect.name) or request.path, model.model_id)
        headers = merged(with_client((*_HEADERS, *proof), request, dialect), model)
        return await send(self._egress, request.method, where, headers, body, attempt)


def _bearer(token: Secret) -> Headers:
    return (("authorization", f"Bearer {token.reveal()}"),)


def _written(vendor: Vendor, request: ChatRequest, model: Model, dialect: UpstreamDialect) -> bytes:
    if dialect is CHAT:
        return vendor.write_chat(request, model)
    return vendor.write_responses(request, model) if dialect is RESPONSES else dialect.write_request(request, model)


if TYPE_CHECKING:
    _: type[Provider] = AzureProvider
