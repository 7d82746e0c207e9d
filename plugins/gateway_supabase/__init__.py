"""Model lookup in a live Supabase project."""

from gateway import Gateway, ModelLookup, hookimpl
from gateway_supabase.lookup import SupabaseLookup
from gateway_supabase.settings import Settings as Settings


@hookimpl(tryfirst=True)
def register_model_lookups(gateway: Gateway) -> list[ModelLookup]:
    settings: Settings = gateway.settings
    if settings.project is None:
        return []
    return [SupabaseLookup(settings.project, gateway.egress, gateway.log)]
