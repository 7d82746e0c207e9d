"""Vendors behind the real server: what they refuse is not sent, and what they answer in their own way is told."""

import json

import pytest
import pytest_asyncio
from v1_world import worlds

from gateway.testing.canned_vendors import VENDORS
from gateway.testing.upstream import Behaviour, Ending, chat_events, reply, stream

PATH = "/v1/chat/completions"
BODY = {"messages": [{"role": "user", "content": "Hi"}]}
STREAM = {**BODY, "stream": True}
OK = stream(*chat_events("fine"), pause=0)
COLD = reply(
    400,
    b"""{"error":{"message":"Unsupported value: 'temperature' does not support 0.5 with this model.",
    "type":"invalid_request_error","param":"temperature","code":"unsupported_value"}}""",
)

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(120)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory):
    async with worlds(tmp_path_factory.mktemp("vendors") / "data", providers=("openai", "mistral", "groq")) as world:
        yield world


async def test_a_refused_temperature_is_repaired_by_the_models_own_row(world):
    here = world(COLD, OK)
    refused = await here.ask(PATH, {**STREAM, "temperature": 0.5})
    assert (refused.status, refused.json()["error"]["param"]) == (400, "temperature")
    await here.gateway.command("models", "update", here.model, "--quirk", "omit=temperature")
    while b"fine" not in (await here.ask(PATH, {**STREAM, "temperature": 0.5})).body or "temperature" in here.sent():
        pass  # a running gateway hears of a change within two seconds; the upstream answers fine from here on
    assert here.sent()["messages"] == BODY["messages"]
    assert "--quirk omit=temperature" in here.gateway.log


async def test_a_vendors_row_changes_the_request_whatever_the_client_speaks(world):
    here = world(OK, provider="mistral")
    system = {"role": "developer", "content": "Be brief."}
    await here.ask(PATH, {"stream": True, "messages": [system, *BODY["messages"]], "seed": 7, "user": "u"})
    sent = here.sent()
    assert (sent["messages"][0]["role"], sent["random_seed"]) == ("system", 7)
    assert sent.keys().isdisjoint({"seed", "user", "stream_options"})
    await here.ask("/v1/messages", {**STREAM, "max_tokens": 9, "metadata": {"user_id": "u"}})
    assert here.sent()["max_tokens"] == 9
    assert here.sent().keys().isdisjoint({"user", "stream_options"})


async def test_what_would_change_the_answer_is_refused_before_the_upstream_is_asked(world):
    here = world(OK, provider="groq")
    refused = await here.ask(PATH, {**BODY, "n": 2})
    assert (refused.status, refused.json()["error"]["param"]) == (400, "n")
    assert here.upstream.seen(here.model) == []


@pytest.mark.parametrize("vendor", ["azure", "openrouter", "groq", "transformers", "perplexity"])
async def test_a_vendors_stream_passes_byte_for_byte_and_its_usage_is_counted(world, vendor):
    canned = VENDORS[vendor]
    here = world(canned.behaviour())
    asked = {**STREAM, "stream_options": {"include_usage": True}}
    answer = await here.ask(PATH, asked)
    assert (answer.status, answer.complete) == (200, True)
    done = b"data: [DONE]\n\n"
    assert answer.body.removesuffix(done) == b"".join(canned.writes).removesuffix(done)
    assert answer.body.endswith(done)
    told = (await here.ask("/v1/messages", {**STREAM, "max_tokens": 9})).body
    assert b'"output_tokens":7' in told


async def test_no_status_goes_out_for_a_first_frame_without_content(world):
    first = VENDORS["azure"].writes[0]
    here = world(stream(first, b'data: {"error":{"code":"429","message":"Too many"}}\n\n', pause=0))
    answer = await here.ask(PATH, STREAM)
    assert (answer.status, answer.json()["error"]["message"]) == (429, "Too many")


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (b'{"error":{"code":402,"message":"No credits"}}', 402, "No credits"),
        (b'{"object":"error","message":"too long","code":400}', 400, "too long"),
    ],
)
async def test_an_error_in_a_200_has_its_status_before_the_content_and_is_seen_after_it(world, error, status, message):
    here = world(stream(b": PROCESSING\n\n", b"data: " + error + b"\n\n", pause=0))
    answer = await here.ask(PATH, STREAM)
    assert (answer.status, answer.json()["error"]["message"]) == (status, message)
    here = world(stream(*chat_events("so far", finish=None), b"data: " + error + b"\n\n", pause=0))
    answer = await here.ask(PATH, STREAM)
    last = [json.loads(line[6:]) for line in answer.body.split(b"\n\n") if line[:7] == b"data: {"][-1]
    assert (answer.status, last["error"]["message"]) == (200, message)
    assert answer.body.endswith(b"data: [DONE]\n\n")


async def test_a_kept_connection_that_is_dead_after_a_500_costs_nobody_an_answer(world):
    dead = Behaviour(status=None, ending=Ending.CLOSE)
    here = world(reply(500, b"Internal Server Error", {"content-type": "text/plain"}), dead, OK)
    answer = await here.ask(PATH, STREAM)
    assert (answer.status, b"fine" in answer.body) == (200, True)
    assert len(here.upstream.seen(here.model)) == 3
