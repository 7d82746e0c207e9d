"""Who comes when there is no room is told so at once; who is being answered notices nothing; health always answers."""

import json

import msgspec
import pytest
from seeding import seed

from gateway.registry import NewModel
from gateway.testing.running import RunningGateway
from gateway.testing.upstream import ScriptedUpstream, chat_events, stream

ROOM = 3
MODEL = "0fe7f10a-0000-4000-8000-000000000001"
CHAT = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "max_tokens": 9}
SURFACES = {
    "/api/chat/custom": {"chatSettings": {"model": "m", "temperature": 0.5}, "messages": [], "customModelId": MODEL},
    "/v1/chat/completions": {**CHAT, "stream": True},
    "/v1/completions": {"model": "m", "prompt": "hi"},
    "/v1/messages": CHAT,
    "/v1/responses": {"model": "m", "input": "hi"},
    "/v1/embeddings": {"model": "m", "input": "hi"},
    "/v1/some/new/path": {"model": "m"},
}
WORDS = "The gateway is overloaded. Try again in a moment."


class World:
    def __init__(self, gateway, upstream, keys):
        self.gateway, self.upstream, self.key, self.admin = gateway, upstream, keys["one"], keys["boss"]

    async def ask(self, path, body, *, key=None):
        headers = [("authorization", f"Bearer {key or self.key}")]
        return await self.gateway.client.send("POST", path, headers=headers, body=json.dumps(body).encode())

    async def metrics(self):
        headers = [("authorization", f"Bearer {self.admin}")]
        return await self.gateway.client.request("GET", "/metrics", headers=headers)

    async def fill(self, count):
        """So many streams that have begun and wait to be told to go on."""
        self.upstream.play("m", msgspec.structs.replace(stream(*chat_events("first", "last")), gated=True))
        running = [await self.ask("/v1/chat/completions", SURFACES["/v1/chat/completions"]) for _ in range(count)]
        seen = [await self.upstream.wait_for("m", number) for number in range(1, count + 1)]
        for one in seen:
            one.go_on()  # past the role, to the first content
        for exchange in running:
            assert (await exchange.head()).status == 200
        return running, seen


@pytest.fixture
async def world(tmp_path, request):
    async with ScriptedUpstream() as upstream:
        environ = {
            "GATEWAY_EGRESS__ALLOW": '["127.0.0.1"]',
            "GATEWAY_SERVER__MAX_LAG": "3600",  # a busy machine must not take part
            **request.param,
        }
        model = NewModel(id=MODEL, name="m", model_id="m", base_url=f"{upstream.origin}/m/v1")
        keys = await seed(tmp_path, environ, models=[model], keys={"one": None, "boss": None}, admins=["boss"])
        async with RunningGateway(tmp_path, environ=environ) as gateway:
            yield World(gateway, upstream, keys)


@pytest.mark.parametrize("world", [{"GATEWAY_SERVER__MAX_IN_FLIGHT": str(ROOM)}], indirect=True)
async def test_a_full_gateway_refuses_and_goes_on_with_what_runs(world):
    running, seen = await world.fill(ROOM)
    for path, body in SURFACES.items():
        answer = await (await world.ask(path, body, key="sk-nobody")).finish()
        assert (answer.status, answer.header("retry-after"), answer.complete) == (503, "1", True), path
        assert said(path, answer.json()) == WORDS
        assert answer.header("x-request-id")
    for path in ("/health/live", "/health/ready"):
        assert (await world.gateway.client.request("GET", path)).status == 200
    metrics = await world.metrics()
    assert metrics.status == 200
    assert f"\ngateway_turned_away_total {len(SURFACES)}.0\n" in metrics.body.decode()
    assert f"\ngateway_in_flight {ROOM}.0\n" in metrics.body.decode()
    assert f"\ngateway_in_flight_limit {ROOM}.0\n" in metrics.body.decode()
    for one in seen:
        for _ in range(4):
            one.go_on()
    for exchange in running:
        answer = await exchange.finish()
        assert (answer.complete, answer.body.endswith(b"data: [DONE]\n\n")) == (True, True)
    assert len(world.upstream.seen("m")) == ROOM, "nobody who was refused has cost an upstream anything"
    world.upstream.play("m", stream(*chat_events("hello")))
    answer = await (await world.ask("/v1/chat/completions", SURFACES["/v1/chat/completions"])).finish()
    assert (answer.status, answer.complete) == (200, True)
    assert "Traceback" not in world.gateway.log


ONE_CONNECTION = {"GATEWAY_EGRESS__MAX_CONNECTIONS": "1", "GATEWAY_EGRESS__QUEUE_SECONDS": "0.2"}


@pytest.mark.parametrize("world", [ONE_CONNECTION], indirect=True)
async def test_without_a_connection_to_the_upstream_a_request_is_refused_after_the_queue(world):
    running, _ = await world.fill(1)
    for path, body in SURFACES.items():
        answer = await (await world.ask(path, body)).finish()
        assert (answer.status, answer.header("retry-after")) == (503, "1"), path
        assert said(path, answer.json()) == "Too many upstream connections are open."
    await running[0].leave()
    world.upstream.play("m", stream(*chat_events("hello")))
    answer = await (await world.ask("/v1/chat/completions", SURFACES["/v1/chat/completions"])).finish()
    assert (answer.status, answer.complete) == (200, True)


def said(path: str, body: dict) -> str:
    """The message, out of the form of the surface's errors."""
    if path == "/api/chat/custom":
        assert set(body) == {"message"}
        return body["message"]
    if path == "/v1/messages":
        assert (body["type"], body["error"]["type"]) == ("error", "overloaded_error")
    else:
        assert body["error"]["code"] == "overloaded"
    return body["error"]["message"]
