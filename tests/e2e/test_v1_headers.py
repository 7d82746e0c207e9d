"""What stands around an answer under `/v1`, on the real server: headers, for whom, and what was left out."""

import json
import re

import anthropic
import httpx2
import pytest
import pytest_asyncio
from gemini_streams import chunk, text
from seeding import seed
from v1_world import worlds

from gateway.registry import NewModel
from gateway.testing import canned_messages
from gateway.testing.running import RunningGateway
from gateway.testing.upstream import Behaviour, ScriptedUpstream, chat_events, reply

CHAT = "/v1/chat/completions"
HI = {"messages": [{"role": "user", "content": "Hi"}]}
STREAM = {**HI, "stream": True}
LIMITS = (("x-ratelimit-remaining-requests", "9"), ("anthropic-ratelimit-tokens-limit", "8"), ("x-other", "1"))
SAID = Behaviour(
    headers=(("content-type", "text/event-stream"), *LIMITS), writes=chat_events("a"), chunked=True, pause=0
)
MESSAGE = (canned_messages.start(), *canned_messages.text("a"), *canned_messages.end())
MESSAGES = Behaviour(headers=(("content-type", "text/event-stream"),), writes=MESSAGE, chunked=True, pause=0)
GOOGLE = Behaviour(
    headers=(("content-type", "text/event-stream"),), writes=(chunk(text("a"), finish="STOP"),), chunked=True, pause=0
)
TOPOLOGY = {
    *("server-timing", "x-gateway-model", "x-gateway-provider", "x-gateway-attempts", "x-gateway-lane"),
    *("x-ratelimit-remaining-requests", "anthropic-ratelimit-tokens-limit"),
}

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory):
    async with worlds(
        tmp_path_factory.mktemp("headers") / "data", providers=("openai", "anthropic", "gemini")
    ) as world:
        yield world


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def open_and_strict(tmp_path_factory):
    """A gateway that shows routing to everybody, and refuses what it would have to leave out."""
    data_dir = tmp_path_factory.mktemp("open") / "data"
    async with ScriptedUpstream() as upstream:
        models = [
            NewModel(name="chat", base_url=upstream.play("chat", SAID), model_id="up"),
            NewModel(
                name="cold", base_url=upstream.play("cold", SAID), model_id="up", quirks={"omit": ["temperature"]}
            ),
            NewModel(name="claude", base_url=upstream.play("claude", MESSAGES), model_id="up", provider="anthropic"),
        ]
        environ = {
            "GATEWAY_EGRESS__ALLOW": '["127.0.0.1"]',
            "GATEWAY_EXPOSE_ROUTING": "true",
            "GATEWAY_STRICT_PARAMS": "true",
        }
        keys = await seed(data_dir, environ, models=models, keys={"one": None})
        async with RunningGateway(data_dir, environ=environ) as gateway:

            async def ask(model, fields, *headers):
                said = [("authorization", f"Bearer {keys['one']}"), *headers]
                body = json.dumps({**fields, "model": model}).encode()
                return await (await gateway.client.send("POST", CHAT, headers=said, body=body)).finish()

            yield ask


def names(answer):
    return {name for name, _ in answer.headers}


async def ask(here, fields, *headers, path=CHAT):
    said = [("authorization", f"Bearer {here.key}"), *headers]
    body = json.dumps({**fields, "model": here.model}).encode()
    return await (await here.gateway.client.send("POST", path, headers=said, body=body)).finish()


async def test_a_caller_without_topology_sees_an_id_and_a_time(world):
    answer = await ask(world(SAID), STREAM)
    assert re.fullmatch("[0-9a-f]{12}7[0-9a-f]{3}8[0-9a-f]{15}", answer.header("x-request-id"))
    assert answer.header("openai-processing-ms").isdigit()
    assert not TOPOLOGY & names(answer)


async def test_everybody_sees_topology_and_upstream_limits_where_the_operator_says_so(open_and_strict):
    answer = await open_and_strict("chat", STREAM)
    assert names(answer) >= TOPOLOGY
    assert "x-other" not in names(answer)
    assert answer.header("x-gateway-lane") == "exact"


NO_EXCHANGE = {
    "no key": ("POST", "/v1/embeddings", 401),
    "unmatched": ("GET", "/v1/nothing", 404),
    "wrong method": ("GET", CHAT, 405),
    "no list without a key": ("GET", "/v1/models", 401),
}


@pytest.mark.parametrize("what", NO_EXCHANGE)
async def test_every_refusal_has_an_id_and_the_envelope(world, what):
    method, path, status = NO_EXCHANGE[what]
    answer = await (await world().gateway.client.send(method, path, body=b"{}")).finish()
    assert (answer.status, len(answer.header("x-request-id"))) == (status, 32)
    assert answer.header("openai-processing-ms").isdigit()
    assert set(json.loads(answer.body)["error"]) == {"message", "type", "param", "code"}


UNSERVED = {
    "unmatched": ("GET", "/v1/messages/nothing", 404, "not_found_error"),
    "an unknown surface below": ("POST", "/v1/messages/batches", 404, "not_found_error"),
    "wrong method": ("GET", "/v1/messages", 405, "invalid_request_error"),
    "wrong method below": ("DELETE", "/v1/messages/count_tokens", 405, "invalid_request_error"),
    "no key": ("POST", "/v1/messages", 401, "authentication_error"),
}


@pytest.mark.parametrize("what", UNSERVED)
async def test_anthropics_clients_are_refused_in_their_form(world, what):
    method, path, status, kind = UNSERVED[what]
    answer = await (await world().gateway.client.send(method, path, body=b"{}")).finish()
    told = answer.json()
    assert (answer.status, len(answer.header("x-request-id"))) == (status, 32)
    assert (told["type"], told["error"]["type"], set(told)) == ("error", kind, {"type", "error"})
    assert answer.header("openai-processing-ms") is None


@pytest.mark.parametrize("stream", [True, False])
async def test_every_answer_to_openais_clients_says_how_long_it_took(world, stream):
    here = world(SAID)
    whole = await ask(here, {**HI, "stream": stream})
    assert (whole.status, whole.header("openai-processing-ms").isdigit()) == (200, True)
    listed = [("GET", "/v1/models", 200), ("GET", f"/v1/models/{here.model}", 200), ("GET", "/v1/models/nobody", 404)]
    headers = [("authorization", f"Bearer {here.key}")]
    for method, path, status in listed:
        answer = await (await here.gateway.client.send(method, path, headers=headers)).finish()
        assert (answer.status, answer.header("openai-processing-ms").isdigit()) == (status, True)
    mistaken = await ask(here, {"messages": 3})
    assert (mistaken.status >= 400, mistaken.header("openai-processing-ms").isdigit()) == (True, True)


async def test_two_answers_have_two_ids(world):
    here = world()
    told = [await (await here.gateway.client.send("GET", "/v1/nothing")).finish() for _ in range(2)]
    assert told[0].header("x-request-id") != told[1].header("x-request-id")


async def test_an_upstream_that_says_when_is_quoted_and_one_that_does_not_is_not_asked_again(world):
    busy = await ask(world(reply(429, b"{}", {"retry-after": "30"})), STREAM)
    assert (busy.status, busy.header("retry-after"), busy.header("retry-after-ms")) == (429, "30", "30000")
    broken = await ask(world(reply(500, b"{}")), STREAM)
    assert (broken.status, broken.header("x-should-retry")) == (500, "false")


LOSSY = {**STREAM, "seed": 5, "logit_bias": {"1": 2}}


async def test_what_has_no_place_upstream_is_named(world):
    answer = await ask(world(MESSAGES, provider="anthropic"), LOSSY)
    assert (answer.status, answer.header("x-gateway-dropped-params")) == (200, "logit_bias, seed")


async def test_what_gemini_has_no_place_for_is_named(world):
    answer = await ask(world(GOOGLE, provider="gemini"), LOSSY)
    assert (answer.status, answer.header("x-gateway-dropped-params")) == (200, "logit_bias")


async def test_what_the_quirks_of_a_model_leave_out_is_refused_where_all_must_be_said(open_and_strict):
    answer = await open_and_strict("cold", {**STREAM, "temperature": 0.5})
    assert (answer.status, answer.json()["error"]["param"]) == (400, "temperature")
    assert (await open_and_strict("cold", STREAM)).status == 200


async def test_nothing_is_named_where_nothing_was_left_out(world):
    assert (await ask(world(SAID), LOSSY)).header("x-gateway-dropped-params") is None


async def test_a_client_may_have_it_refused(world):
    here = world(MESSAGES, provider="anthropic")
    answer = await ask(here, LOSSY, ("x-gateway-strict-params", "true"))
    error = json.loads(answer.body)["error"]
    assert (answer.status, error["param"]) == (400, "logit_bias")
    assert error["message"] == "The model of this request has no place for: logit_bias, seed."
    assert here.upstream.seen(here.model) == []
    told = await ask(here, LOSSY, ("x-gateway-strict-params", "perhaps"))
    assert (told.status, json.loads(told.body)["error"]["param"]) == (400, "x-gateway-strict-params")


async def test_the_operator_may_have_it_refused_for_all(open_and_strict):
    assert (await open_and_strict("claude", LOSSY)).status == 400
    assert (await open_and_strict("claude", STREAM)).status == 200


async def test_anthropic_clients_list_models_in_their_form(world):
    here = world()
    http = httpx2.AsyncClient(trust_env=False)
    async with anthropic.AsyncAnthropic(api_key=here.key, base_url=here.url, max_retries=0, http_client=http) as client:
        page = await client.models.list()
        assert here.model in [model.id for model in page.data]
        assert (page.has_more, page.first_id) == (False, page.data[0].id)
        assert (await client.models.retrieve(here.model)).display_name == here.model
        with pytest.raises(anthropic.NotFoundError) as told:
            await client.models.retrieve("nobody")
    assert told.value.body["error"]["type"] == "not_found_error"
