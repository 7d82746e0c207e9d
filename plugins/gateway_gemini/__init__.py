"""Google's models: the provider `gemini` for the Gemini API, and `vertex` for Vertex AI."""

from gateway import Gateway, Provider, hookimpl
from gateway_gemini.provider import GeminiProvider
from gateway_gemini.settings import Settings as Settings
from gateway_gemini.vertex import VertexProvider


@hookimpl
def register_providers(gateway: Gateway) -> list[Provider]:
    settings: Settings = gateway.settings
    return [GeminiProvider(), VertexProvider(settings.token_origins)]
