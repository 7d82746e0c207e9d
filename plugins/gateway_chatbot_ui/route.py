"""Mounts the route and decides who may call it without a key."""

from ipaddress import ip_address
from typing import Any, Final, cast

from litestar import asgi
from litestar.enums import ScopeType
from litestar.handlers import ASGIRouteHandler
from litestar.types import Receive, Scope, Send

from gateway import Gateway, Principal, protocols
from gateway_chatbot_ui.dialect import ChatbotUi
from gateway_chatbot_ui.settings import Settings

_ANYBODY: Final = Principal(id="open", unrestricted=True)


def check_openness(settings: Settings, host: str) -> None:
    """Refuse to serve an open route to others by accident."""
    if settings.open_route and not settings.open_route_beyond_loopback and not _is_loopback(host):
        raise ValueError(
            f"open_route lets anybody use every model, and the gateway listens on {host}, beyond this machine: "
            "listen on 127.0.0.1, switch open_route off, or also set open_route_beyond_loopback"
        )


def custom_route(gateway: Gateway, settings: Settings) -> ASGIRouteHandler:
    """The handler of `POST /api/chat/custom`."""
    dialect = ChatbotUi(not_found=settings.not_found_message)

    @asgi(settings.path, copy_scope=False, opt={"scope": "chat", "direct": True})
    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP or scope["method"] != "POST":
            await _refuse_method(send)
            return
        anonymous = _ANYBODY if _is_open(settings, scope) else None
        await gateway.serve(scope, receive, cast("protocols.Send", send), dialect, anonymous=anonymous)

    return handle


async def _refuse_method(send: Any) -> None:
    headers = [(b"allow", b"POST"), (b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 405, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


def _is_open(settings: Settings, scope: Scope) -> bool:
    if not settings.open_route:
        return False
    client = scope["client"]
    return settings.open_route_beyond_loopback or (client is not None and _is_loopback(client[0]))


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return address.is_loopback or (mapped is not None and mapped.is_loopback)
