"""The provider `anthropic`: where a request goes, and what it carries."""

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from gateway import ChatRequest, Model, Provider, UpstreamDialect, __version__
from gateway.errors import Headers
from gateway.providers import DialectProvider
from gateway_anthropic.counting import COUNT_TOKENS
from gateway_anthropic.dialect import CLAUDE

_VERSION: Final = "2023-06-01"
_USER_AGENT: Final = f"litestar-gateway/{__version__}"


class AnthropicProvider(DialectProvider):
    """`POST {base_url}/messages`, for base URLs with or without their `/v1`."""

    name = "anthropic"
    dialect: UpstreamDialect = CLAUDE
    also = MappingProxyType({COUNT_TOKENS.name: COUNT_TOKENS})
    path = "/messages"
    base_url = "https://api.anthropic.com/v1"
    api_key_env = "ANTHROPIC_API_KEY"

    def url(self, request: ChatRequest, model: Model) -> str:
        """Where a request goes; a query of the base URL stays one."""
        base, mark, query = (model.base_url or self.base_url).partition("?")
        base = base.rstrip("/").removesuffix("/messages")
        return f"{base if base.endswith('/v1') else base + '/v1'}{self.path_of(request)}{mark}{query}"

    def headers(self, model: Model) -> Headers:
        """The key as Anthropic wants it; a model's own `authorization` header serves those that want another."""
        key = model.api_key.reveal().strip()
        return (
            ("content-type", "application/json"),
            ("accept", "application/json"),
            ("user-agent", _USER_AGENT),
            ("anthropic-version", _VERSION),
            *((("x-api-key", key),) if key else ()),
        )


if TYPE_CHECKING:
    _: type[Provider] = AnthropicProvider
