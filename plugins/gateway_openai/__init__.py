"""OpenAI-compatible upstreams: the provider `openai`, one for each vendor, and the mapper of the SDK's exceptions."""

from gateway import ErrorMapper, Gateway, Provider, hookimpl
from gateway.protocols import Lifespan
from gateway_openai.errors import OpenAIErrorMapper
from gateway_openai.library import library_lifespan
from gateway_openai.provider import providers
from gateway_openai.settings import Settings as Settings
from gateway_openai.vendors import read_vendors


@hookimpl
def register_providers(gateway: Gateway) -> list[Provider]:
    return [*providers(gateway.egress, gateway.settings)]


@hookimpl
def register_error_mappers() -> list[ErrorMapper]:
    return [OpenAIErrorMapper(frozenset(read_vendors().rows))]


@hookimpl
def lifespan(gateway: Gateway) -> Lifespan:
    return library_lifespan(gateway.settings.lane)
