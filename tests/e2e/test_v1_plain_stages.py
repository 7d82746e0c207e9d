"""Requests that are no chat, before and after their upstream: transforms, guards, routes, usage."""

import asyncio
import json

import pytest
import pytest_asyncio
from lines import written
from seeding import seed

from gateway.registry import NewModel, NewRoute, StoredTarget
from gateway.testing.running import RunningGateway
from gateway.testing.upstream import ScriptedUpstream, reply

HANG = 60
JSON = {"content-type": "application/json"}
VECTOR = reply(200, b'{"data":[],"usage":{"prompt_tokens":7,"total_tokens":7}}', JSON)
BARE = reply(200, b'{"data":[]}', JSON)
PLUGIN = """
import json
import os

from msgspec import Raw

from gateway import hookimpl


class Shouting:
    async def transform(self, request, exchange):
        return request.with_prompt(request.prompt)


class Adding:
    async def transform(self, request, exchange):
        return request if request.is_chat else request.with_fields(user=Raw(b'"somebody"'))


class Guarding:
    guard = True

    async def transform(self, request, exchange):
        if "secret" in request.fields:
            request.prompt
        return request


class Sink:
    async def write(self, records):
        with open(os.environ["RECORDS"], "a") as file:
            for r in records:
                file.write(json.dumps([r.route, r.outcome, r.provenance, r.input_tokens, r.output_tokens]) + "\\n")


@hookimpl
def register_request_transforms():
    return [Shouting(), Adding(), Guarding()]


@hookimpl
def register_usage_sinks():
    return [Sink()]
"""

pytestmark = pytest.mark.asyncio(loop_scope="module")


class House:
    def __init__(self, gateway, upstream, key, records):
        self._gateway, self.upstream, self._key, self._records = gateway, upstream, key, records

    async def embed(self, model, **fields):
        body = json.dumps({"model": model, "input": "a", **fields}).encode()
        headers = [("authorization", f"Bearer {self._key}")]
        return await (await self._gateway.client.send("POST", "/v1/embeddings", headers=headers, body=body)).finish()

    async def recorded(self, route, count):
        """The usage records of that route, once there are so many."""
        async with asyncio.timeout(HANG):
            while True:
                found = [told[1:] for told in written(self._records) if told[0] == route]
                if len(found) >= count:
                    return found
                await asyncio.sleep(0.05)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house(tmp_path_factory):
    home = tmp_path_factory.mktemp("stages")
    (home / "stages.py").write_text(PLUGIN)
    ids = {name: f"00000000-0000-4000-8000-00000000000{n}" for n, name in enumerate(("one", "two", "claude", "bare"))}
    async with ScriptedUpstream() as upstream:
        plays = {"one": reply(503, b"{}", JSON), "two": VECTOR, "claude": VECTOR, "bare": BARE}
        models = [
            NewModel(
                id=ids[name],
                name=name,
                base_url=upstream.play(name, behaviour),
                model_id=f"up-{name}",
                provider="anthropic" if name == "claude" else "openai",
            )
            for name, behaviour in plays.items()
        ]
        routes = [
            NewRoute(name="failing-over", targets=[StoredTarget(model=ids["one"]), StoredTarget(model=ids["two"])]),
            NewRoute(name="mixed", targets=[StoredTarget(model=ids["claude"]), StoredTarget(model=ids["two"])]),
        ]
        environ = {"GATEWAY_EGRESS__ALLOW": '["127.0.0.1"]', "RECORDS": str(home / "records")}
        keys = await seed(home / "data", environ, models=models, routes=routes, keys={"one": None})
        arguments = ("--plugin", str(home / "stages.py"))
        async with RunningGateway(home / "data", environ=environ, arguments=arguments) as gateway:
            yield House(gateway, upstream, keys["one"], home / "records")


async def test_an_embedding_fails_over_to_the_second_target_of_its_route(house):
    answer = await house.embed("failing-over")
    assert (answer.status, answer.json()["usage"]["prompt_tokens"]) == (200, 7)
    assert house.upstream.seen("one")[-1].request.json()["model"] == "up-one"
    assert house.upstream.seen("two")[-1].request.json()["model"] == "up-two"
    told = await house.recorded("failing-over", 2)
    assert sorted(told) == [["ok", "reported", 7, None], ["upstream_error", "none", None, None]]


async def test_of_a_mixed_route_only_those_are_asked_that_can(house):
    assert (await house.embed("mixed")).status == 200
    assert house.upstream.seen("claude") == []
    assert await house.recorded("mixed", 1) == [["ok", "reported", 7, None]]


async def test_usage_nobody_reports_is_not_estimated(house):
    assert (await house.embed("bare")).status == 200
    assert await house.recorded("bare", 1) == [["ok", "none", None, None]]


async def test_a_transform_changes_what_it_understands_and_one_that_needs_a_prompt_is_passed_by(house):
    assert (await house.embed("bare")).status == 200
    assert house.upstream.seen("bare")[-1].request.json() == {"model": "up-bare", "input": "a", "user": "somebody"}


async def test_a_guard_that_cannot_look_into_it_refuses_it(house):
    before = len(house.upstream.seen("bare"))
    answer = await house.embed("bare", secret=True)
    assert answer.status == 400
    assert answer.json()["error"]["message"].startswith('The plugin "stages" guards requests')
    assert len(house.upstream.seen("bare")) == before
