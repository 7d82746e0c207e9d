"""Where the route is mounted, and for whom it is open."""

from types import SimpleNamespace
from typing import Any

import pytest
from litestar import Litestar
from litestar.config.app import AppConfig
from litestar.testing import TestClient
from pydantic import ValidationError

import gateway_chatbot_ui
from gateway_chatbot_ui.settings import Settings


class FakeGateway:
    """Answers every exchange with who is calling."""

    def __init__(self, host: str, **settings: Any) -> None:
        self.settings = Settings(**settings)
        self.serving = SimpleNamespace(host=host, port=8000)

    async def serve(self, scope: Any, receive: Any, send: Any, dialect: Any, *, anonymous: Any = None) -> None:
        who = f"{dialect.name} {anonymous.id if anonymous else 'authenticate'}".encode()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": who})


def app(host: str = "127.0.0.1", **settings: Any) -> Litestar:
    config = AppConfig()
    gateway_chatbot_ui.on_app_init(config, FakeGateway(host, **settings))  # type: ignore[arg-type]
    return Litestar(route_handlers=config.route_handlers)


def ask(application: Any, *, peer: str = "127.0.0.1", path: str = "/api/chat/custom", method: str = "POST") -> Any:
    async def from_peer(scope: Any, receive: Any, send: Any) -> None:
        await application({**scope, "client": (peer, 1)} if scope["type"] == "http" else scope, receive, send)

    with TestClient(from_peer) as client:
        return client.request(method, path)


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"])
def test_other_methods_are_refused_with_an_empty_body(method: str) -> None:
    response = ask(app(), method=method)
    assert (response.status_code, response.headers["allow"], response.content) == (405, "POST", b"")


def test_a_key_is_asked_for_by_default() -> None:
    assert ask(app()).text == "chatbot-ui authenticate"
    assert ask(app(host="0.0.0.0")).text == "chatbot-ui authenticate"


@pytest.mark.parametrize("peer", ["127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1"])
def test_the_open_route_asks_nobody_on_this_machine(peer: str) -> None:
    assert ask(app(open_route=True), peer=peer).text == "chatbot-ui open"


@pytest.mark.parametrize("peer", ["10.0.0.1", "::ffff:10.0.0.1", "2001:db8::1", "testclient", ""])
def test_the_open_route_asks_everybody_else(peer: str) -> None:
    assert ask(app(open_route=True), peer=peer).text == "chatbot-ui authenticate"
    open_to_all = app(host="0.0.0.0", open_route=True, open_route_beyond_loopback=True)
    assert ask(open_to_all, peer=peer).text == "chatbot-ui open"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.168.1.5", "gateway.example"])
def test_the_gateway_does_not_start_with_a_route_open_to_others_by_accident(host: str) -> None:
    with pytest.raises(ValueError, match="open_route_beyond_loopback"):
        app(host=host, open_route=True)
    assert app(host=host, open_route=True, open_route_beyond_loopback=True)
    assert app(host=host, open_route_beyond_loopback=True)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_the_open_route_starts_on_loopback(host: str) -> None:
    assert app(host=host, open_route=True)


def test_beyond_loopback_alone_opens_nothing() -> None:
    assert ask(app(open_route_beyond_loopback=True)).text == "chatbot-ui authenticate"


def test_the_path_is_a_setting() -> None:
    assert ask(app(path="/chat"), path="/chat").text == "chatbot-ui authenticate"
    for wrong in ("chat", "/", "/a/{b}", "/a//b", ""):
        with pytest.raises(ValidationError):
            Settings(path=wrong)
