"""`gateway explain` and `POST /admin/explain`: the whole way, and nothing sent."""

import asyncio
import json

import pytest
from seeding import seed

from gateway import Secret
from gateway.registry import NewModel
from gateway.testing.running import GatewayFailed, RunningGateway
from gateway.testing.upstream import ScriptedUpstream, chat_events, stream

HANG = 60
MODEL_ID = "7d9f0c52-6a51-4c1b-9a44-2f0f5c9f3b10"
PLUGIN = """
import msgspec
from gateway import hookimpl

class Colder:
    async def transform(self, request, exchange):
        return request.with_fields(temperature=msgspec.Raw(b"0"), top_p=msgspec.Raw(b"0.5"))

@hookimpl
def register_request_transforms():
    return [Colder()]
"""


LAYER = """
from gateway import hookimpl

class Layer:
    def start(self, exchange): ...
    async def acquire(self, exchange): ...
    async def settle(self, exchange): ...
    def left(self, exchange): return {"key rpm": {"limit": 9, "left": 7}, "room": 3, "note": "well"}

@hookimpl
def register_stream_transforms():
    return [Layer()]

@hookimpl
def register_limiters():
    return [Layer()]
"""


async def explained(gateway, *arguments):
    """What `gateway explain` tells, once the server has heard of the key that another process made."""
    async with asyncio.timeout(HANG):
        while True:
            try:
                return json.loads(await gateway.command("explain", *arguments))
            except GatewayFailed:
                await asyncio.sleep(0.2)


@pytest.mark.parametrize("lane", ["direct", "sdk"])
async def test_the_way_of_a_request_is_shown_and_nothing_is_sent(tmp_path, lane):
    plugin = tmp_path / "colder.py"
    plugin.write_text(PLUGIN)
    layers = [tmp_path / "inner.py", tmp_path / "outer.py"]
    for layer in layers:
        layer.write_text(LAYER)
    async with ScriptedUpstream() as upstream:
        base_url = upstream.play("m", stream(*chat_events("x")))
        environ = {"GATEWAY_EGRESS__ALLOW": '["127.0.0.1"]', "GATEWAY_PLUGINS__OPENAI__LANE": lane}
        model = NewModel(
            id=MODEL_ID,
            name="fast",
            base_url=base_url,
            model_id="up",
            api_key=Secret("sk-canary-canary"),
            headers={"x-team": "canary-header"},
            prices={"input": 2.0},
        )
        keys = await seed(tmp_path / "data", environ, models=[model], keys={"theirs": MODEL_ID})
        environ["THEIR_KEY"] = keys["theirs"]
        arguments = [argument for file in (plugin, *layers) for argument in ("--plugin", str(file))]
        async with RunningGateway(tmp_path / "data", environ=environ, arguments=arguments) as gateway:
            url = f"http://127.0.0.1:{gateway.port}"
            created = await gateway.command("keys", "create", "boss", "--scope", "admin", "--scope", "chat", "--json")
            (tmp_path / "data" / "admin-key").write_text(json.loads(created)["secret"])
            told = await explained(gateway, "-m", "fast", "--json", "--url", url)
            assert told["lookups"] == [{"plugin": "registry", "answer": "found"}]
            assert told["candidates"][0]["id"] == MODEL_ID
            assert told["transforms"] == [
                {"plugin": "colder", "changed": {"temperature": [None, 0], "top_p": [None, 0.5]}, "error": None}
            ]
            ways = {"limiters": ["outer", "inner", "limits"], "stream_transforms": ["inner", "outer"]}
            assert {stage: told["stages"][stage] for stage in ways} == ways
            left = {"key rpm": {"limit": 9, "left": 7}, "room": 3, "note": "well"}
            assert told["limits"] == [{"plugin": name, "left": left} for name in ("outer", "inner")]
            assert told["lane"] == "exact"
            assert told["stages"]["settlement"] == ["limits", "inner", "outer"]
            assert told["upstream"]["url"] == f"{base_url}/chat/completions"
            assert told["upstream"]["headers"]["authorization"] == "***"
            assert json.loads(told["upstream"]["body"])["model"] == "up"
            assert told["price"]["input_dollars"] == pytest.approx(told["price"]["input_tokens"] * 2e-6)
            shown = await gateway.command("explain", "-m", "fast", "--url", url)
            assert "canary" not in shown + json.dumps(told)
            assert "colder: temperature: none -> 0; top_p: none -> 0.5" in shown
            assert "outer: key rpm 7 of 9 left, room 3, note well" in shown
            assert ["lookups", "registry:", "found"] in [line.split() for line in shown.splitlines()]
            with pytest.raises(GatewayFailed, match="would be refused: 404 model_not_found"):
                await gateway.command("explain", "-m", "fast", "--key-env", "THEIR_KEY", "--url", url)
            assert upstream.seen("m") == []


async def test_explaining_needs_the_admin_scope(tmp_path):
    keys = await seed(tmp_path, {}, keys={"chat": None})
    async with RunningGateway(tmp_path) as gateway:
        for headers, status in [([], 401), ([("authorization", f"Bearer {keys['chat']}")], 403)]:
            json_type = ("content-type", "application/json")
            response = await gateway.client.request(
                "POST", "/admin/explain", headers=[*headers, json_type], body=b'{"model":"m"}'
            )
            assert response.status == status
            assert response.header("content-type") == "application/problem+json"
