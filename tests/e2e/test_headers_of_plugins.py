"""Headers that plugins add to answers: what no answer can hold is the plugin's fault, and told like any other."""

import json

import pytest
import pytest_asyncio
from seeding import seed

from gateway.registry import NewModel
from gateway.testing.running import RunningGateway
from gateway.testing.upstream import ScriptedUpstream, chat_events, stream

PLUGIN = """
from gateway import Model, Route, Secret, hookimpl

class Odd:
    async def find(self, name, principal):
        model = Model(id="one\\ntwo", name="odd", model_id="m", base_url="BASE", api_key=Secret("k"))
        return Route.of(model) if name == "odd" else None

@hookimpl
def register_model_lookups():
    return [Odd()]

class Telling:
    async def transform(self, request, exchange):
        name, value = exchange.header("x-say").split("=")
        value = value.replace("/", chr(10))
        exchange.added_headers = (*exchange.added_headers, (name, int(value) if value == "7" else value))
        return request

@hookimpl
def register_request_transforms():
    return [Telling()]
"""
WRONG = {
    "two lines": "x-note=one/two",
    "no token": "x note=one",
    "no name": "=one",
    "no text": "x-note=7",
    "the body's length": "content-length=1",
    "the body's framing": "Transfer-Encoding=gzip",
    "the connection's": "connection=close",
}
pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ask(tmp_path_factory):
    folder = tmp_path_factory.mktemp("headers")
    environ = {"GATEWAY_EGRESS__ALLOW": '["127.0.0.1"]', "GATEWAY_EXPOSE_ROUTING": "true"}
    async with ScriptedUpstream() as upstream:
        base_url = upstream.play("m", stream(*chat_events("Hello")))
        (folder / "telling.py").write_text(PLUGIN.replace("BASE", base_url))
        model = NewModel(name="m", base_url=base_url, model_id="m")
        keys = await seed(folder / "data", environ, models=[model], keys={"one": None})
        arguments = ("--plugin", str(folder / "telling.py"))
        async with RunningGateway(folder / "data", environ=environ, arguments=arguments) as gateway:

            async def asked(say: str, *, streamed: bool, model: str = "m"):
                body = {"model": model, "stream": streamed, "messages": [{"role": "user", "content": "Hi"}]}
                headers = [("authorization", f"Bearer {keys['one']}"), ("x-say", say)]
                path = "/v1/chat/completions"
                return await gateway.client.request("POST", path, headers=headers, body=json.dumps(body).encode())

            yield asked


@pytest.mark.parametrize("streamed", [True, False], ids=["stream", "whole"])
@pytest.mark.parametrize("case", WRONG)
async def test_what_no_answer_can_hold_is_the_plugins_fault(ask, case, streamed):
    answer = await ask(WRONG[case], streamed=streamed)
    assert (answer.status, answer.json()["error"]["code"]) == (503, "plugin_error")
    assert answer.complete
    assert answer.header("x-request-id")


@pytest.mark.parametrize("streamed", [True, False], ids=["stream", "whole"])
async def test_any_other_reaches_the_client(ask, streamed):
    answer = await ask("x-note=a b\u00e9", streamed=streamed)
    assert (answer.status, answer.header("x-note")) == (200, "a b\u00e9")


@pytest.mark.parametrize("streamed", [True, False], ids=["stream", "whole"])
async def test_a_name_that_no_header_can_hold_is_told_without_it(ask, streamed):
    answer = await ask("x-note=one", streamed=streamed, model="odd")
    assert (answer.status, answer.header("x-gateway-model")) == (200, "one?two")
