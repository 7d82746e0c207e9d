"""The plugin `supabase` keeps the contract, in front of a project's REST interface on a loopback socket."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from supabase_project import SECRET, Signer, SupabaseProject, by_secret, claims

from gateway.testing.conformance import AuthenticatorConformance, ModelLookupConformance, PluginConformance
from gateway.testing.postgrest import PostgrestStandIn

PUBLIC = "11111111-1111-4111-8111-111111111111"
PRIVATE = "22222222-2222-4222-8222-222222222222"
OWNER = "33333333-3333-4333-8333-333333333333"
SIGNER = Signer.ec("kit")
ISSUER = "https://abc.supabase.co"


def row(model_id: str, sharing: str) -> dict[str, Any]:
    model = {"model_id": "m", "base_url": "http://127.0.0.1:1/v1", "api_key": "sk-1", "name": "m"}
    return {"id": model_id, "user_id": OWNER, "sharing": sharing, **model}


class TestPlugin(PluginConformance):
    plugin = "supabase"


class TestLookup(ModelLookupConformance):
    plugin = "supabase"
    model = PUBLIC
    private = (PRIVATE, OWNER)

    @asynccontextmanager
    async def backend(self) -> AsyncIterator[dict[str, str]]:
        async with PostgrestStandIn("service-key") as project:
            project.add(row(PUBLIC, "public"))
            project.add(row(PRIVATE, "private"))
            yield {"url": project.origin, "service_role_key": "service-key"}


class TestCachingLookup(TestLookup):
    settings = {"cache_seconds": 60.0}


class TestUsersBySecret(AuthenticatorConformance):
    plugin = "supabase"
    settings = {"url": ISSUER, "users": True, "jwt_secret": SECRET}
    token = by_secret(claims(ISSUER))


class TestUsersByPublishedKey(AuthenticatorConformance):
    plugin = "supabase"
    token = SIGNER.token(claims(ISSUER))

    @asynccontextmanager
    async def backend(self) -> AsyncIterator[dict[str, Any]]:
        async with SupabaseProject(SIGNER) as project:
            yield {"url": project.origin, "users": True, "issuer": f"{ISSUER}/auth/v1"}


class TestPluginWithUsers(PluginConformance):
    plugin = "supabase"
    settings = {"url": ISSUER, "users": True}
