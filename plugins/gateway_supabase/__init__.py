"""A live Supabase project: its models, and its users as principals."""

from gateway import Authenticator, Gateway, ModelLookup, hookimpl
from gateway_supabase.lookup import SupabaseLookup
from gateway_supabase.settings import Settings as Settings


@hookimpl
def register_authenticators(gateway: Gateway) -> list[Authenticator]:
    settings: Settings = gateway.settings
    if settings.token_rules is None:
        return []
    # Here and not above: PyJWT costs a start that needs it a fraction of a second, and others nothing.
    from gateway_supabase.authenticator import UserAuthenticator

    return [UserAuthenticator(settings.token_rules, gateway.egress, gateway.log)]


@hookimpl(tryfirst=True)
def register_model_lookups(gateway: Gateway) -> list[ModelLookup]:
    settings: Settings = gateway.settings
    if settings.project is None:
        return []
    return [SupabaseLookup(settings.project, gateway.egress, gateway.log)]
