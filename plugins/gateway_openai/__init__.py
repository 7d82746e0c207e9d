"""OpenAI-compatible upstreams: the provider `openai` and the mapper of the SDK's exceptions."""

from gateway import ErrorMapper, Gateway, Provider, hookimpl
from gateway.protocols import Lifespan
from gateway_openai.errors import OpenAIErrorMapper
from gateway_openai.library import library_lifespan
from gateway_openai.provider import OpenAIProvider
from gateway_openai.settings import Settings as Settings


@hookimpl
def register_providers(gateway: Gateway) -> list[Provider]:
    return [OpenAIProvider(gateway.egress, gateway.settings.lane)]


@hookimpl
def register_error_mappers() -> list[ErrorMapper]:
    return [OpenAIErrorMapper()]


@hookimpl
def lifespan(gateway: Gateway) -> Lifespan:
    return library_lifespan(gateway.settings.lane)
