"""The provider `cohere`: where a request goes, and what it carries."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from gateway import ChatRequest, Model, Provider, UpstreamDialect, __version__
from gateway.errors import Headers
from gateway.providers import DialectProvider
from gateway.wire.plain import PLAIN
from gateway_cohere.dialect import COHERE

_USER_AGENT: Final = f"litestar-gateway/{__version__}"
_EMBEDDINGS: Final = "/embeddings"
_ENDINGS: Final = ("/chat", "/v2", "/v1", "/compatibility")


class CohereProvider(DialectProvider):
    """`POST {base_url}/v2/chat`, and what is no chat at the path the client asked for: `/v2/rerank`.

    Embeddings go to Cohere's compatibility API, which takes and gives them in OpenAI's form.
    """

    name = "cohere"
    dialect: UpstreamDialect = COHERE
    also: Mapping[str, UpstreamDialect] = MappingProxyType({PLAIN.name: PLAIN})
    base_url = "https://api.cohere.com"
    api_key_env = "CO_API_KEY"
    path = "/chat"

    def url(self, request: ChatRequest, model: Model) -> str:
        """Where a request goes, for base URLs with or without their version."""
        base = (model.base_url or self.base_url).rstrip("/")
        for ending in _ENDINGS:
            base = base.removesuffix(ending).rstrip("/")
        path = self.path_of(request)
        return f"{base}{'/compatibility/v1' if path == _EMBEDDINGS else '/v2'}{path}"

    def headers(self, model: Model) -> Headers:
        """The key as a bearer."""
        key = model.api_key.reveal().strip()
        return (
            ("content-type", "application/json"),
            ("accept", "application/json"),
            ("user-agent", _USER_AGENT),
            *((("authorization", f"Bearer {key}"),) if key else ()),
        )


if TYPE_CHECKING:
    _: type[Provider] = CohereProvider
