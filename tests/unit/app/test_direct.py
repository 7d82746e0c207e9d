"""A handler that says it needs nothing of Litestar is called without it, unless something stands before it."""

from typing import Any

import pytest
from litestar import Litestar, asgi
from litestar.config.allowed_hosts import AllowedHostsConfig
from litestar.config.compression import CompressionConfig
from litestar.config.cors import CORSConfig
from litestar.config.csrf import CSRFConfig
from litestar.types import Receive, Scope, Send

from gateway.app import create
from gateway.app.routes import direct
from gateway.settings import load_settings


def around(app: Any) -> Any:
    return app


def guard(connection: Any, handler: Any) -> None:
    return None


async def hook(*_: Any) -> None:
    return None


def handler(**configured: Any) -> Any:
    @asgi("/exchange", copy_scope=False, **{"opt": {"scope": "chat", "direct": True}, **configured})
    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    return handle


def app(one: Any, **configured: Any) -> Litestar:
    return Litestar([one], openapi_config=None, logging_config=None, **configured)


def test_nothing_stands_before_it() -> None:
    one = handler()
    assert direct(app(one)) == {"/exchange": one.fn}


def test_it_has_to_say_so() -> None:
    assert direct(app(handler(opt={"scope": "chat"}))) == {}


@pytest.mark.parametrize("own", [{"middleware": [around]}, {"guards": [guard]}])
def test_something_stands_before_it_alone(own: dict[str, Any]) -> None:
    assert direct(app(handler(**own))) == {}


@pytest.mark.parametrize(
    "configured",
    [
        {"middleware": [around]},
        {"guards": [guard]},
        {"before_send": [hook]},
        {"after_exception": [hook]},
        {"allowed_hosts": AllowedHostsConfig(allowed_hosts=["one.example"])},
        {"compression_config": CompressionConfig(backend="gzip")},
        {"cors_config": CORSConfig(allow_origins=["https://one.example"])},
        {"csrf_config": CSRFConfig(secret="s")},
    ],
    ids=lambda configured: next(iter(configured)),
)
def test_something_stands_before_every_route(configured: dict[str, Any]) -> None:
    assert direct(app(handler(), **configured)) == {}


async def test_what_it_raises_tells_the_client_nothing_of_itself(tmp_path: Any) -> None:
    application = create(load_settings(None, {"GATEWAY_DATA_DIR": str(tmp_path)}))
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/v1/chat/completions",
    }  # without headers
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async with application.running():
        await application(scope, hook, send)
    assert "litestar_app" not in scope
    assert sent[0]["status"] == 500
    assert (b"content-type", b"application/json") in sent[0]["headers"]
    assert b"The gateway failed to answer this request." in sent[1]["body"]
