"""A response that goes on from another is made by the model that made that one, whoever serves it; and by it alone."""

import json

import pytest_asyncio
from seeding import seed
from test_v1_responses import ID, PATH, SAID, WHOLE

from gateway.registry import Database, NewModel
from gateway.registry.routes import NewRoute, RouteStore, StoredTarget
from gateway.settings import load_settings
from gateway.testing.running import RunningGateway
from gateway.testing.upstream import ScriptedUpstream, reply, stream

A, B, OTHER = (f"00000000-0000-4000-8000-00000000000{n}" for n in range(3))
ENVIRON = {"GATEWAY_EGRESS__ALLOW": '["127.0.0.1"]'}
JSON = {"content-type": "application/json"}
KEYS = {"ada": "00000000-0000-4000-8000-0000000000aa", "bob": "00000000-0000-4000-8000-0000000000bb"}


@pytest_asyncio.fixture
async def upstream():
    async with ScriptedUpstream() as upstream:
        yield upstream


async def seeded(data_dir, upstream):
    """Two shared models behind one route, and one that stands alone."""
    models = [
        NewModel(
            id=id, name=name, base_url=upstream.play(name), model_id="up", sharing="public", capabilities=("responses",)
        )
        for id, name in ((A, "a"), (B, "b"), (OTHER, "other"))
    ]
    keys = await seed(data_dir, ENVIRON, models=models, keys=KEYS)
    database = await Database.open(load_settings(None, {**ENVIRON, "GATEWAY_DATA_DIR": str(data_dir)}))
    targets = (StoredTarget(model=A), StoredTarget(model=B))
    await RouteStore(database).add(NewRoute(name="pair", targets=targets, sharing="public"))
    await database.aclose()
    return keys


async def ask(gateway, key, **fields):
    headers = [("authorization", f"Bearer {key}")]
    body = json.dumps({"model": "pair", "input": "Hi", **fields}).encode()
    return await (await gateway.client.send("POST", PATH, headers=headers, body=body)).finish()


def refused(answer) -> tuple[int, str, str]:
    error = answer.json()["error"]
    return answer.status, error["code"], error["param"]


NOT_FOUND = (400, "previous_response_not_found", "previous_response_id")


async def test_a_response_goes_on_where_it_was_made(tmp_path, upstream):
    data_dir = tmp_path / "data"
    keys = await seeded(data_dir, upstream)
    told = json.dumps({**WHOLE, "previous_response_id": ID}).encode()
    async with RunningGateway(data_dir, environ=ENVIRON) as gateway:
        upstream.play("a", reply(500, b"{}"), reply(200, told, JSON))
        upstream.play("b", stream(*SAID, pause=0), reply(200, told, JSON))
        first = await ask(gateway, keys["ada"], stream=True)
        name = json.loads(first.body.split(b"data: ")[1].split(b"\n")[0])["response"]["id"]
        asked = len(upstream.seen("a"))

        second = await ask(gateway, keys["ada"], previous_response_id=name)
        assert json.loads(upstream.seen("b")[-1].request.body)["previous_response_id"] == ID
        assert second.json()["previous_response_id"] == name
        assert second.json()["output"] == WHOLE["output"]
        assert len(upstream.seen("a")) == asked

        assert refused(await ask(gateway, keys["bob"], previous_response_id=name)) == NOT_FOUND
        assert refused(await ask(gateway, keys["ada"], previous_response_id=ID)) == NOT_FOUND
        assert refused(await ask(gateway, keys["ada"], previous_response_id=name, model="other")) == NOT_FOUND
        assert not upstream.seen("other")

    async with RunningGateway(data_dir, environ=ENVIRON, arguments=("--workers", "2")) as gateway:
        for _ in range(4):
            answer = await ask(gateway, keys["ada"], previous_response_id=name)
            assert (answer.status, answer.json()["previous_response_id"]) == (200, name)
        assert len(upstream.seen("a")) == asked
        assert refused(await ask(gateway, keys["bob"], previous_response_id=name)) == NOT_FOUND
