"""The provider `ollama`: where a request goes, and what it carries."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from gateway import ChatRequest, Model, Provider, UpstreamDialect, __version__
from gateway.errors import Headers
from gateway.providers import DialectProvider
from gateway.wire.plain import PLAIN
from gateway_ollama.dialect import OLLAMA

_USER_AGENT: Final = f"litestar-gateway/{__version__}"
_ENDINGS: Final = ("/chat", "/api", "/v1")


class OllamaProvider(DialectProvider):
    """`POST {base_url}/api/chat`, for base URLs with or without their `/api`.

    What is no chat goes to Ollama's API for OpenAI's clients: `/v1/embeddings`.
    """

    name = "ollama"
    dialect: UpstreamDialect = OLLAMA
    also: Mapping[str, UpstreamDialect] = MappingProxyType({PLAIN.name: PLAIN})
    base_url = "http://localhost:11434"

    def url(self, request: ChatRequest, model: Model) -> str:
        """Where a request goes; the base URL of Ollama's OpenAI-compatible API does, too."""
        base = (model.base_url or self.base_url).rstrip("/")
        for ending in _ENDINGS:
            base = base.removesuffix(ending).rstrip("/")
        return f"{base}/v1{request.path}" if request.dialect in self.also else f"{base}/api/chat"

    def headers(self, model: Model) -> Headers:
        """A key is for ollama.com, or for a proxy in front; one's own server wants none."""
        key = model.api_key.reveal().strip()
        return (
            ("content-type", "application/json"),
            ("accept", "application/x-ndjson"),
            ("user-agent", _USER_AGENT),
            *((("authorization", f"Bearer {key}"),) if key else ()),
        )


if TYPE_CHECKING:
    _: type[Provider] = OllamaProvider
