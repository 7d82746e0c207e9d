"""Anthropic's own API, and all that speaks its messages: the provider `anthropic`."""

from gateway import Provider, hookimpl
from gateway_anthropic.provider import AnthropicProvider


@hookimpl
def register_providers() -> list[Provider]:
    return [AnthropicProvider()]
