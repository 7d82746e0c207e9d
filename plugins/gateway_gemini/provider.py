"""The provider `gemini`: where a request goes, and what it carries."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from gateway import ChatRequest, Model, Provider, ProviderClient, UpstreamDialect, UpstreamError, __version__
from gateway.domain import Attempt
from gateway.errors import Headers
from gateway.protocols import Upstream
from gateway.providers import DialectProvider
from gateway.wire.fields import asked_model
from gateway.wire.plain import PLAIN
from gateway_gemini.dialect import GEMINI
from gateway_gemini.failure import told_apart

USER_AGENT: Final = f"litestar-gateway/{__version__}"
_VERSION: Final = re.compile(r"/v\d[a-z0-9]*$")
_KINDS: Final = ("models/", "tunedModels/")


class GeminiProvider(DialectProvider):
    """`POST {base_url}/models/{model}:streamGenerateContent`, for base URLs with or without their version.

    Always a stream: whole answers are collected from one, so that silence is noticed. What is no chat goes to Google's
    API for OpenAI's clients: `{base_url}/openai/embeddings`.
    """

    name = "gemini"
    dialect: UpstreamDialect = GEMINI
    also: Mapping[str, UpstreamDialect] = MappingProxyType({PLAIN.name: PLAIN})
    base_url = "https://generativelanguage.googleapis.com/v1beta"
    api_key_env = "GEMINI_API_KEY"

    def url(self, request: ChatRequest, model: Model) -> str:
        """Where a request goes; a query of the base URL stays one."""
        base, _, query = (model.base_url or self.base_url).partition("?")
        base = base.rstrip("/").removesuffix("/models").removesuffix("/openai")
        base = base if _VERSION.search(base) else f"{base}/v1beta"
        if request.dialect in self.also:
            return f"{base}/openai{request.path}{'?' if query else ''}{query}"
        name = asked_model(request, model)
        kind = next((kind for kind in _KINDS if name.startswith(kind)), "")
        path = f"{kind or _KINDS[0]}{quote(name.removeprefix(kind), safe='')}"
        return f"{base}/{path}:{streaming(query)}"

    def headers(self, model: Model) -> Headers:
        """The key as Google wants it; a model's own `authorization` header serves those that want another."""
        key = model.api_key.reveal().strip()
        return (
            ("content-type", "application/json"),
            ("accept", "text/event-stream"),
            ("user-agent", USER_AGENT),
            *((("x-goog-api-key", key),) if key else ()),
        )

    def headers_for(self, request: ChatRequest, model: Model) -> Headers:
        """The API for OpenAI's clients wants the key as they send it."""
        if request.dialect not in self.also:
            return self.headers(model)
        key = model.api_key.reveal().strip()
        said = tuple(header for header in self.headers(model) if header[0] != "x-goog-api-key")
        return (*said, *((("authorization", f"Bearer {key}"),) if key else ()))

    def connect(self, model: Model) -> ProviderClient:
        """A client for this base URL and credential."""
        return _Client(super().connect(model))


def streaming(query: str) -> str:
    """The method that answers with a stream, and the query with it."""
    return f"streamGenerateContent?alt=sse{'&' if query else ''}{query}"


class _Client:
    """Tells Google's errors in words that every client understands."""

    def __init__(self, client: ProviderClient) -> None:
        self._client = client

    async def open(self, request: ChatRequest, attempt: Attempt) -> Upstream:
        try:
            return await self._client.open(request, attempt)
        except UpstreamError as error:
            raise told_apart(error) from error

    async def aclose(self) -> None:
        await self._client.aclose()


if TYPE_CHECKING:
    _: type[Provider] = GeminiProvider
