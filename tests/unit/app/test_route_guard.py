"""Default deny: a route that does not say who may use it keeps the application from starting."""

from typing import Any

import pytest
from litestar import Litestar, Router, asgi, get
from litestar.types import Receive, Scope, Send

from gateway.api import AdminGuard, admin_guard
from gateway.app import create
from gateway.app.routes import UnguardedRoute, check_routes
from gateway.errors import Unauthenticated
from gateway.runtime import PluginLoadError
from gateway.settings import load_settings


@get("/open", opt={"public": True})
async def _open() -> str:
    return ""


@get("/forgotten")
async def _forgotten() -> str:
    return ""


@get("/odd", opt={"scope": "owner"})
async def _odd() -> str:
    return ""


@asgi("/exchange", opt={"scope": "chat"}, copy_scope=False)
async def _exchange(scope: Scope, receive: Receive, send: Send) -> None:
    return None


@get("/admin/bare", opt={"scope": "admin"})
async def _bare() -> str:
    return ""


@pytest.fixture
def guard() -> AdminGuard:
    async def nobody(scope: Any, required: str) -> Any:
        raise Unauthenticated("Missing or invalid API key.")

    return admin_guard(nobody)


def test_public_routes_and_exchanges_pass(guard: AdminGuard) -> None:
    check_routes(Litestar([_open, _exchange], openapi_config=None).routes, guard)


@pytest.mark.parametrize("handler", [_forgotten, _odd, _bare])
def test_a_route_without_a_known_guard_is_refused(handler: Any, guard: AdminGuard) -> None:
    with pytest.raises(UnguardedRoute, match="who may use it"):
        check_routes(Litestar([_open, handler], openapi_config=None).routes, guard)


def test_a_route_for_administrators_passes_behind_the_guard(guard: AdminGuard) -> None:
    router = Router("/", route_handlers=[_bare], guards=[guard])
    check_routes(Litestar([_open, router], openapi_config=None).routes, guard)


_PLUGIN = """
from litestar import get
from gateway import hookimpl

@get("/leak"{opt})
async def leak() -> str:
    return "everything"

@hookimpl
def on_app_init(app_config):
    app_config.route_handlers.append(leak)
"""


def test_a_plugins_unguarded_route_keeps_the_gateway_from_starting(tmp_path: Any) -> None:
    file = tmp_path / "leaky.py"
    file.write_text(_PLUGIN.format(opt=""))
    with pytest.raises(UnguardedRoute, match="/leak"):
        create(load_settings(None, {"GATEWAY_DATA_DIR": str(tmp_path)}, {"plugin_files": [str(file)]}))


def test_a_plugins_public_route_is_served(tmp_path: Any) -> None:
    file = tmp_path / "open_door.py"
    file.write_text(_PLUGIN.format(opt=', opt={"public": True}'))
    create(load_settings(None, {"GATEWAY_DATA_DIR": str(tmp_path)}, {"plugin_files": [str(file)]}))


def test_a_plugins_route_for_administrators_is_guarded_for_it(tmp_path: Any) -> None:
    file = tmp_path / "inner_door.py"
    file.write_text(_PLUGIN.format(opt=', opt={"scope": "admin"}'))
    create(load_settings(None, {"GATEWAY_DATA_DIR": str(tmp_path)}, {"plugin_files": [str(file)]}))


def test_a_plugin_that_cannot_be_loaded_is_told_by_name(tmp_path: Any) -> None:
    file = tmp_path / "broken.py"
    file.write_text("1 / 0\n")
    with pytest.raises(PluginLoadError, match="broken"):
        create(load_settings(None, {"GATEWAY_DATA_DIR": str(tmp_path)}, {"plugin_files": [str(file)]}))
