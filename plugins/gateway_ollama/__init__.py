"""Ollama's own API: the provider `ollama`."""

from gateway import Provider, hookimpl
from gateway_ollama.provider import OllamaProvider


@hookimpl
def register_providers() -> list[Provider]:
    return [OllamaProvider()]
