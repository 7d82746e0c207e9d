"""`POST /v1/chat/completions` on the real server: bytes pass, ends are true, errors have their envelope."""

import asyncio
import hashlib
import json

import httpx2
import openai
import pytest
import pytest_asyncio
from v1_world import MODELS, worlds

from gateway.testing import faults
from gateway.testing.upstream import chat_events, reply, stream

HANG = 60
PATH = "/v1/chat/completions"
BODY = {"messages": [{"role": "user", "content": "Hi"}]}
STREAM = {**BODY, "stream": True}
ODD = (
    b": hello\n\n",
    b'data: {"id":"c","model":"up","choices":[{"index":0,"delta":{"role":"assistant","content":""}}],"x":1.50}\n\n',
    b'data: {"choices" : [{"index":0,"delta":{"content":"\xc3\xa9"},"new":{"a":[1,2.0]}}]}\n\n: comment\n\n',
    b'event: note\ndata: {"choices":[{"index":0,"delta":{"content":"b"}}]}\r\n\r\n',
    b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n',
)
USAGE = b'data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}\n\n'
DONE = b"data: [DONE]\n\n"
WHOLE = (
    b'{ "id":"c", "choices":[{"index":0,"message":{"role":"assistant","content":"a"},"finish_reason":"stop"}],"n":1.50}'
)
UPPER = """
from msgspec.structs import replace

from gateway import Text, hookimpl


class Upper:
    def start(self, exchange):
        return lambda events: [
            replace(e, text=e.text.upper()) if isinstance(e, Text) and e.text == "b" else e for e in events
        ]


@hookimpl
def register_stream_transforms():
    return [Upper()]
"""


pytestmark = pytest.mark.asyncio(loop_scope="module")


def sdk_of(here):
    """The official client, pointed at that gateway."""
    http = httpx2.AsyncClient(trust_env=False)
    return openai.AsyncOpenAI(api_key=here.key, base_url=f"{here.url}/v1", max_retries=0, http_client=http)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory):
    """A gateway as it comes."""
    async with worlds(tmp_path_factory.mktemp("plain") / "data") as world:
        yield world


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shouting(tmp_path_factory):
    """A gateway with a transform that writes every "b" in capitals."""
    home = tmp_path_factory.mktemp("shouting")
    (home / "upper.py").write_text(UPPER)
    async with worlds(home / "data", "--plugin", str(home / "upper.py")) as world:
        yield world


async def test_a_stream_passes_byte_for_byte(world):
    here = world(stream(*ODD, DONE, pause=0))
    answer = await here.ask(PATH, {**STREAM, "unknown": {"a": [1, None]}})
    assert hashlib.sha256(answer.body).hexdigest() == hashlib.sha256(b"".join((*ODD, DONE))).hexdigest()
    assert (answer.status, answer.complete) == (200, True)
    assert here.sent()["unknown"] == {"a": [1, None]}
    assert here.sent()["model"] == "up"


async def test_usage_that_only_the_gateway_asked_for_stays_with_it(world):
    here = world(stream(*ODD, USAGE, DONE, pause=0))
    assert (await here.ask(PATH, STREAM)).body == b"".join((*ODD, DONE))
    assert here.sent()["stream_options"] == {"include_usage": True}
    asked = {**STREAM, "stream_options": {"include_usage": True}}
    assert (await here.ask(PATH, asked)).body == b"".join((*ODD, USAGE, DONE))
    other = {**STREAM, "stream_options": {"include_obfuscation": False}}
    assert (await here.ask(PATH, other)).body == b"".join((*ODD, DONE))
    assert here.sent()["stream_options"] == {"include_obfuscation": False, "include_usage": True}


async def test_a_whole_answer_passes_byte_for_byte(world):
    here = world(reply(200, WHOLE, {"content-type": "application/json"}))
    answer = await here.ask(PATH, BODY)
    assert (answer.status, answer.body, answer.complete) == (200, WHOLE, True)
    assert answer.header("content-length") == str(len(WHOLE))
    assert "stream_options" not in here.sent()


async def test_a_stream_that_came_for_a_whole_answer_is_collected(world):
    here = world(stream(*ODD, USAGE, DONE, pause=0))
    answer = await here.ask(PATH, BODY)
    assert answer.header("content-type") == "application/json"
    said = answer.json()
    assert said["choices"][0]["message"]["content"] == "\xe9b"
    assert said["choices"][0]["finish_reason"] == "stop"
    assert said["usage"]["total_tokens"] == 3


async def test_a_whole_answer_that_came_for_a_stream_is_streamed(world):
    here = world(reply(200, WHOLE, {"content-type": "application/json"}))
    answer = await here.ask(PATH, STREAM)
    chunks = [json.loads(line[6:]) for line in answer.body.split(b"\n\n") if line[:7] == b"data: {"]
    assert answer.body.endswith(DONE)
    assert "".join(c["choices"][0]["delta"].get("content") or "" for c in chunks) == "a"
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"


async def test_an_end_that_the_upstream_left_out_is_added(world):
    here = world(stream(*ODD, pause=0))
    assert (await here.ask(PATH, STREAM)).body == b"".join((*ODD, DONE))


@pytest.mark.parametrize(
    ("behaviour", "code"),
    [
        (faults.close_midstream("a"), "upstream_disconnected"),
        (faults.end_without_finish("a"), "upstream_truncated"),
        (stream(*chat_events("a", finish=None), b'data: {"error":{"message":"Sorry","code":529}}\n\n', pause=0), 529),
        (stream(*chat_events("a", finish=None), b"data: {oops\n\n", pause=0), "upstream_protocol"),
        (stream(*chat_events("a", finish=None), b'data: {"x":"\xff"}\n\n', pause=0), "upstream_protocol"),
    ],
)
async def test_a_cut_stream_ends_with_an_error_that_the_client_sees(world, behaviour, code):
    here = world(behaviour)
    answer = await here.ask(PATH, STREAM)
    assert (answer.status, answer.complete) == (200, True)
    assert answer.body.endswith(DONE)
    last = json.loads(answer.body.removesuffix(DONE).rstrip().rpartition(b"data: ")[2])
    assert last["error"]["code"] == code
    assert set(last["error"]) == {"message", "type", "param", "code"}
    async with sdk_of(here) as sdk:
        pieces = await sdk.chat.completions.create(**{**STREAM, "model": here.model})
        with pytest.raises(openai.APIError):
            async for _ in pieces:
                pass


@pytest.mark.parametrize(
    ("behaviour", "status", "code", "headers"),
    [
        (reply(401, b'{"error":{"message":"bad sk-1"}}'), 502, "upstream_authentication_error", {}),
        (reply(400, b'{"error":{"message":"No.","type":"t","code":"c","param":"p"}}'), 400, "c", {}),
        (reply(422, b'{"detail":[{"loc":["body"]}]}'), 422, "upstream_error", {}),
        (reply(429, b"{}", {"retry-after": "77"}), 429, "upstream_error", {"retry-after": "77"}),
        (reply(529, b"{}"), 529, "upstream_error", {"x-should-retry": "false"}),
        (reply(302, b"", {"location": "http://127.0.0.1:1/"}), 502, "upstream_redirect", {}),
        (faults.end_without_finish(), 502, "upstream_truncated", {"x-should-retry": "false"}),
        (reply(200, b"<html>", {"content-type": "text/html"}), 502, "upstream_protocol", {}),
    ],
)
@pytest.mark.parametrize("fields", [STREAM, BODY], ids=["stream", "whole"])
async def test_a_failure_before_content_has_a_status_and_the_envelope(world, behaviour, status, code, headers, fields):
    here = world(behaviour)
    answer = await here.ask(PATH, fields)
    assert answer.status == status
    assert answer.json()["error"]["code"] == code
    assert {name: answer.header(name) for name in headers} == headers
    assert answer.header("x-request-id")
    assert b"sk-1" not in answer.body


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        (b"{", 400, None),
        (b"[]", 400, None),
        (b'{"messages":[]}', 400, "model"),
        (b'{"model":"m"}', 400, "messages"),
        (b'{"model":"m","messages":[],"stream":"yes"}', 400, "stream"),
        (b'{"model":"m","messages":[],"n":0}', 400, "n"),
        (b'{"model":"nobodys","messages":[]}', 404, "model"),
    ],
)
async def test_bad_requests_are_told_in_the_envelope(world, body, status, param):
    here = world()
    headers = [("authorization", f"Bearer {here.key}")]
    answer = await here.gateway.client.request("POST", PATH, headers=headers, body=body)
    assert (answer.status, answer.json()["error"]["param"]) == (status, param)
    other = await here.gateway.client.request("GET", PATH, headers=headers)
    assert (other.status, other.header("allow")) == (405, "POST")
    assert set(other.json()["error"]) == {"message", "type", "param", "code"}


async def test_a_transform_changes_its_events_and_nothing_else(shouting):
    odd = (*ODD[:3], b'data: {"choices":[{"index":0,"delta":{"content":"b","y":2},"new":1}]}\n\n', *ODD[4:])
    here = shouting(stream(*odd, USAGE, DONE, pause=0))
    frames = (await here.ask(PATH, STREAM)).body.split(b"\n\n")
    assert frames[:4] + frames[5:] == [f for f in b"".join((*odd, DONE)).split(b"\n\n") if b'"y":2' not in f]
    assert json.loads(frames[4][6:]) == {"choices": [{"index": 0, "delta": {"content": "B", "y": 2}, "new": 1}]}


async def test_a_transform_changes_a_whole_answer_and_keeps_what_it_does_not_know(shouting):
    body = WHOLE.replace(b'"content":"a"', b'"content":"b","more":[1]')
    here = shouting(reply(200, body))
    said = (await here.ask(PATH, BODY)).json()
    assert said["choices"][0]["message"] == {"role": "assistant", "content": "B", "more": [1]}
    assert said["n"] == 1.5


async def test_the_openai_sdk_streams_answers_and_lists(world):
    here = world(stream(*chat_events("Hel", "lo"), USAGE, DONE, pause=0))
    async with sdk_of(here) as sdk:
        pieces = [chunk async for chunk in await sdk.chat.completions.create(**{**STREAM, "model": here.model})]
        assert "".join(c.choices[0].delta.content or "" for c in pieces if c.choices) == "Hello"
        whole = await sdk.chat.completions.create(**{**BODY, "model": here.model})
        assert whole.choices[0].message.content == "Hello"
        assert len([model.id async for model in sdk.models.list()]) == MODELS
        assert (await sdk.models.retrieve(here.model)).owned_by == "openai"
        with pytest.raises(openai.NotFoundError) as refused:
            await sdk.models.retrieve("theirs")
        assert refused.value.code == "model_not_found"
        with pytest.raises(openai.AuthenticationError):
            await sdk.with_options(api_key="sk-x").models.list()


async def test_a_client_that_leaves_closes_the_upstream(world):
    here = world(faults.stall_midstream("a"))
    exchange = await here.open(PATH, STREAM)
    await exchange.head()
    await exchange.leave()
    seen = await here.upstream.wait_for(here.model)
    await asyncio.wait_for(seen.closed(), HANG)
