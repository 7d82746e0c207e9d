"""A plugin in a single file with a resource of the control plane that has to write to the database."""

from typing import Any

from litestar import post

from gateway import Gateway, hookimpl
from gateway.registry import KeyStore


@hookimpl
def on_app_init(app_config: Any, gateway: Gateway) -> None:
    @post("/admin/test-keys", opt={"scope": "admin"})
    async def make() -> dict[str, str]:
        key, _ = await KeyStore(gateway.database).create("made by a plugin")
        return {"id": key.id}

    app_config.route_handlers.append(make)
