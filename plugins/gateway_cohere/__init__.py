"""Cohere's own API, version 2: the provider `cohere`."""

from gateway import Provider, hookimpl
from gateway_cohere.provider import CohereProvider


@hookimpl
def register_providers() -> list[Provider]:
    return [CohereProvider()]
