"""Limits of keys, owners and models, on the real server: who is refused, in which words, and who is not."""

import asyncio
import json
import re

import pytest
import pytest_asyncio
from seeding import seed

from gateway.registry import NewModel
from gateway.terms import Limits
from gateway.testing import faults
from gateway.testing.running import RunningGateway
from gateway.testing.upstream import ScriptedUpstream, chat_events, reply, stream

HANG = 60
OWNER = "0b1c2d3e-0000-4000-8000-00000000000a"
USAGE = (
    b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[],"usage":{"prompt_tokens":9,'
    b'"completion_tokens":5,"total_tokens":14}}\n\n'
)
ANSWER = stream(*chat_events("a", "b", "c")[:-1], USAGE, b"data: [DONE]\n\n", pause=0)
LIMITS = {
    "slow": Limits(rpm=2),
    "claude": Limits(rpm=1, tpm=10_000),
    "custom": Limits(rpm=1),
    "small": Limits(tpm=600),
    "tiny": Limits(tpm=20),
    "single": Limits(concurrent=1),
}
KEYS = {**dict.fromkeys(("admin", "free", *LIMITS)), "first": OWNER, "second": OWNER}
SETTINGS = """
[plugins.limits]
owner = { rpm = 3 }
answer_tokens = 400
[plugins.limits.models.scarce]
rpm = 2
"""
HI = {"messages": [{"role": "user", "content": "Hi"}]}

pytestmark = pytest.mark.asyncio(loop_scope="module")


class World:
    def __init__(self, gateway, upstream, keys):
        self.gateway, self.upstream, self.keys = gateway, upstream, keys

    async def open(self, key, model="m", path="/v1/chat/completions", **fields):
        headers = [("authorization", f"Bearer {self.keys[key]}")]
        body = json.dumps({**HI, "stream": True, **fields, "model": model}).encode()
        return await self.gateway.client.send("POST", path, headers=headers, body=body)

    async def ask(self, *given, **more):
        return await asyncio.wait_for((await self.open(*given, **more)).finish(), HANG)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory):
    data_dir = tmp_path_factory.mktemp("limits") / "data"
    data_dir.mkdir()
    (data_dir.parent / "gateway.toml").write_text(SETTINGS)
    async with ScriptedUpstream() as upstream:
        models = [
            NewModel(name=name, base_url=upstream.play(name, *plays), model_id="up", sharing="public")
            for name, plays in {
                "m": (ANSWER,),
                "scarce": (ANSWER,),
                "held": (faults.stall_midstream("a"),),
                "broken": (reply(400, b"no"),),
            }.items()
        ]
        environ = {"GATEWAY_EGRESS__ALLOW": '["127.0.0.1"]', "GATEWAY_CONFIG": str(data_dir.parent / "gateway.toml")}
        keys = await seed(data_dir, environ, models=models, keys=KEYS, admins=["admin"], limits=LIMITS)
        async with RunningGateway(data_dir, environ=environ) as gateway:
            yield World(gateway, upstream, keys)


async def test_a_key_without_limits_is_told_of_none(world):
    for _ in range(4):
        answer = await world.ask("free")
        assert answer.status == 200
    assert [name for name, _ in answer.headers if "ratelimit" in name] == []


async def test_requests_beyond_those_of_a_minute_are_refused_with_what_clients_wait_by(world):
    first, second = await world.ask("slow"), await world.ask("slow")
    assert (first.status, second.status) == (200, 200)
    assert [first.header(f"x-ratelimit-{what}-requests") for what in ("limit", "remaining")] == ["2", "1"]
    assert second.header("x-ratelimit-remaining-requests") == "0"
    assert re.fullmatch(r"(\d+m)?[\d.]+m?s", second.header("x-ratelimit-reset-requests"))
    before = len(world.upstream.seen("m"))
    refused = await world.ask("slow")
    assert refused.status == 429
    error = refused.json()["error"]
    assert (error["code"], error["type"]) == ("rate_limit_exceeded", "rate_limit_error")
    assert error["message"] == "This key has a limit of 2 requests per minute, and it is reached."
    assert 0 < int(refused.header("retry-after")) <= 30
    assert refused.header("x-ratelimit-remaining-requests") == "0"
    assert refused.header("x-should-retry") is None
    assert len(world.upstream.seen("m")) == before


async def test_anthropics_clients_read_it_in_anthropics_words(world):
    fields = {"path": "/v1/messages", "max_tokens": 100}
    answer = await world.ask("claude", **fields)
    assert answer.status == 200
    told = {name: value for name, value in answer.headers if "ratelimit" in name}
    assert told["anthropic-ratelimit-requests-limit"] == "1"
    assert told["anthropic-ratelimit-requests-remaining"] == "0"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", told["anthropic-ratelimit-requests-reset"])
    assert told["anthropic-ratelimit-tokens-limit"] == "10000"
    assert 9_800 < int(told["anthropic-ratelimit-tokens-remaining"]) < 9_900
    refused = await world.ask("claude", **fields)
    assert refused.status == 429
    assert refused.json()["error"]["type"] == "rate_limit_error"
    assert not any(name.startswith("x-ratelimit") for name, _ in (*answer.headers, *refused.headers))


async def test_the_custom_route_is_refused_in_its_words(world):
    [model] = [row for row in json.loads(await world.gateway.command("models", "list", "--json")) if row["name"] == "m"]
    asked = [await world.gateway.client.open_chat(model["id"], key=world.keys["custom"]) for _ in range(1)]
    assert (await asked[0].finish()).status == 200
    refused = await (await world.gateway.client.open_chat(model["id"], key=world.keys["custom"])).finish()
    assert (refused.status, list(refused.json())) == (429, ["message"])
    assert int(refused.header("retry-after")) > 0


async def test_tokens_are_reserved_by_estimate_and_replaced_by_what_was_used(world):
    # 400 for an answer of unknown length and six for the prompt leave no room for a second one; 14 used do.
    held = await world.open("small", "held")
    await asyncio.wait_for(held.head(), HANG)
    refused = await world.ask("small")
    assert refused.status == 429
    assert "600 tokens per minute" in refused.json()["error"]["message"]
    await held.leave()
    async with asyncio.timeout(HANG):
        while (answer := await world.ask("small")).status == 429:
            await asyncio.sleep(0.1)
    assert answer.status == 200
    again = await world.ask("small")
    assert again.status == 200
    assert int(again.header("x-ratelimit-remaining-tokens")) > 100


async def test_a_request_that_can_never_be_served_is_told_so_and_not_to_come_again(world):
    refused = await world.ask("tiny", messages=[{"role": "user", "content": "x" * 400}])
    assert refused.status == 429
    assert "can never be served" in refused.json()["error"]["message"]
    assert (refused.header("retry-after"), refused.header("x-should-retry")) == (None, "false")


async def test_a_place_is_held_until_the_answer_ends_however_it_ends(world):
    for _ in range(2):
        held = await world.open("single", "held")
        await asyncio.wait_for(held.head(), HANG)
        refused = await world.ask("single")
        assert (refused.status, refused.header("retry-after")) == (429, "1")
        assert "1 requests at one time" in refused.json()["error"]["message"]
        await held.leave()
        async with asyncio.timeout(HANG):
            while (answer := await world.ask("single", "broken")).status == 429:
                await asyncio.sleep(0.05)
        assert answer.status == 400


async def test_the_keys_of_one_owner_share_what_the_owner_has(world):
    statuses = [(await world.ask(key)).status for key in ("first", "second", "first", "second", "first")]
    assert statuses == [200, 200, 200, 429, 429]
    refused = await world.ask("second")
    assert refused.json()["error"]["message"].startswith("The keys of this owner have a limit of 3 requests")


async def test_a_model_has_a_limit_for_all(world):
    assert [(await world.ask("free", "scarce")).status for _ in range(3)] == [200, 200, 429]
    assert (await world.ask("free", "m")).status == 200


async def test_explain_tells_what_is_left_and_takes_nothing(world):
    question = {"model": "m", "key": world.keys["claude"]}
    headers = [("authorization", f"Bearer {world.keys['admin']}"), ("content-type", "application/json")]
    for _ in range(2):
        answer = await world.gateway.client.request(
            "POST", "/admin/explain", headers=headers, body=json.dumps(question).encode()
        )
        assert answer.status in (200, 201), answer.body
        [told] = answer.json()["limits"]
        assert told["plugin"] == "limits"
        assert told["left"]["key tpm"]["limit"] == 10_000
