"""What plugins put around the answers sees and may change every one of them."""

import pytest

from gateway.testing.running import RunningGateway

MIDDLEWARE = """
from gateway import hookimpl


def marked(app):
    async def around(scope, receive, send):
        async def sent(message):
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], (b"x-marked", b"yes")]
            await send(message)

        await app(scope, receive, sent)

    return around


@hookimpl
def on_app_init(app_config):
    app_config.middleware.append(marked)
"""
BEFORE_SEND = """
from gateway import hookimpl


async def mark(message, scope):
    if message["type"] == "http.response.start":
        message["headers"] = [*message["headers"], (b"x-marked", b"yes")]


@hookimpl
def on_app_init(app_config):
    app_config.before_send.append(mark)
"""


@pytest.mark.parametrize("plugin", [MIDDLEWARE, BEFORE_SEND], ids=["middleware", "before_send"])
async def test_a_plugin_hears_the_messages_of_exchanges(tmp_path, plugin):
    (tmp_path / "marking.py").write_text(plugin)
    arguments = ("--plugin", str(tmp_path / "marking.py"))
    async with RunningGateway(tmp_path / "data", arguments=arguments) as gateway:
        for path in ("/v1/chat/completions", "/v1/messages"):
            answer = await gateway.client.request("POST", path, body=b"{}")
            assert answer.status == 401
            assert ("x-marked", "yes") in answer.headers
