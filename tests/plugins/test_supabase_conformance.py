"""The plugin `supabase` keeps the contract, in front of a project's REST interface on a loopback socket."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from gateway.testing.conformance import ModelLookupConformance, PluginConformance
from gateway.testing.postgrest import PostgrestStandIn

PUBLIC = "11111111-1111-4111-8111-111111111111"
PRIVATE = "22222222-2222-4222-8222-222222222222"
OWNER = "33333333-3333-4333-8333-333333333333"


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
