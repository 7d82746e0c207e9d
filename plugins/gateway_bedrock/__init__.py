"""Amazon Bedrock's Converse: the provider `bedrock`."""

from gateway import Gateway, Provider, hookimpl
from gateway_bedrock.provider import BedrockProvider
from gateway_bedrock.settings import Settings as Settings


@hookimpl
def register_providers(gateway: Gateway) -> list[Provider]:
    return [BedrockProvider(region=gateway.settings.region)]
