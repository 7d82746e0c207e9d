"""OpenAI's models on Azure: the provider `azure`."""

from gateway import Gateway, Provider, hookimpl
from gateway_azure.provider import AzureProvider
from gateway_azure.settings import Settings as Settings


@hookimpl
def register_providers(gateway: Gateway) -> list[Provider]:
    return [AzureProvider(gateway.egress, gateway.settings)]
