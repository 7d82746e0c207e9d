"""Whoever brings routes of their own has all of Litestar for them: what the gateway's need not load is loaded then."""

import json
from pathlib import Path
from typing import Any

from gateway.app import create
from gateway.settings import load_settings

PLUGIN = """
from litestar import post
from litestar.params import JSONBody
from pydantic import BaseModel

from gateway import hookimpl


class Word(BaseModel):
    text: str


@post("/louder", opt={"public": True}, status_code=200)
async def louder(data: JSONBody[Word]) -> Word:
    return Word(text=data.text.upper())


@hookimpl
def on_app_init(app_config):
    app_config.route_handlers.append(louder)
"""


async def test_a_plugins_route_takes_and_answers_models_of_pydantic(tmp_path: Path) -> None:
    file = tmp_path / "louder.py"
    file.write_text(PLUGIN)
    environ = {"GATEWAY_DATA_DIR": str(tmp_path), "GATEWAY_PLUGIN_FILES": json.dumps([str(file)])}
    application = create(load_settings(None, environ))
    headers = [(b"content-type", b"application/json")]
    scope = {"type": "http", "method": "POST", "path": "/louder", "raw_path": b"/louder", "query_string": b""}
    scope |= {"headers": headers, "client": ("127.0.0.1", 1), "http_version": "1.1", "scheme": "http", "root_path": ""}
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b'{"text":"hush"}', "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    async with application.running():
        await application(scope, receive, send)
    assert (sent[0]["status"], sent[1]["body"]) == (200, b'{"text":"HUSH"}')
