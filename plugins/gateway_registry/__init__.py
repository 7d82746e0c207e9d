"""Model lookup in the registry's own tables."""

from gateway import Gateway, ModelLookup, hookimpl
from gateway_registry.lookup import RegistryLookup


@hookimpl
def register_model_lookups(gateway: Gateway) -> list[ModelLookup]:
    return [RegistryLookup(gateway)]
