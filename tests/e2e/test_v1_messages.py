"""`POST /v1/messages` on the real server, in its own dialect and before an upstream that speaks chat completions."""

import json

import anthropic
import httpx2
import openai
import pytest
import pytest_asyncio
from v1_world import worlds

from gateway.testing import faults
from gateway.testing.upstream import chat_events, reply, stream

PATH = "/v1/messages"
pytestmark = pytest.mark.asyncio(loop_scope="module")
BODY = {"max_tokens": 100, "messages": [{"role": "user", "content": "Hi"}]}
STREAM = {**BODY, "stream": True}
TOOL = {"name": "weather", "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}


def event(name, **said) -> bytes:
    return f"event: {name}\ndata: {json.dumps({'type': name, **said})}\n\n".encode()


EVENTS = (
    event(
        "message_start",
        message={
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "up",
            "content": [],
            "stop_reason": None,
            "usage": {"input_tokens": 5, "output_tokens": 1},
            "unknown": 1,
        },
    ),
    event("ping"),
    event("content_block_start", index=0, content_block={"type": "text", "text": ""}),
    event("content_block_delta", index=0, delta={"type": "text_delta", "text": "Hel"}, unknown=[1]),
    event("content_block_delta", index=0, delta={"type": "text_delta", "text": "lo"}),
    event("content_block_stop", index=0),
    event("message_delta", delta={"stop_reason": "end_turn", "stop_sequence": None}, usage={"output_tokens": 7}),
    event("message_stop"),
)
CALL = (
    b'data: {"id":"c","model":"up","choices":[{"index":0,"delta":{"role":"assistant","content":null,"tool_calls":'
    b'[{"index":0,"id":"call_1","type":"function","function":{"name":"weather","arguments":""}}]}}]}\n\n',
    b'data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{\\"ci"}}]}}]}\n\n',
    b'data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"ty\\":"}}]}}]}\n\n',
    b'data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"\\"Rom\\"}"}}]}}]}\n\n',
    b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}\n\n',
    b'data: {"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":4,"total_tokens":13}}\n\n',
    b"data: [DONE]\n\n",
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory):
    """A gateway with models of both providers."""
    async with worlds(tmp_path_factory.mktemp("messages") / "data", providers=("anthropic", "openai")) as world:
        yield world


def sdk_of(here):
    """The official client, pointed at that gateway."""
    http = httpx2.AsyncClient(trust_env=False)
    return anthropic.AsyncAnthropic(api_key=here.key, base_url=here.url, max_retries=0, http_client=http)


async def test_a_stream_passes_byte_for_byte(world):
    here = world(stream(*EVENTS, pause=0))
    answer = await here.ask(PATH, {**STREAM, "unknown": {"a": 1}})
    assert (answer.status, answer.body, answer.complete) == (200, b"".join(EVENTS), True)
    assert (here.sent()["model"], here.sent()["unknown"]) == ("up", {"a": 1})


async def test_a_whole_answer_passes_byte_for_byte(world):
    body = (
        b'{ "id":"msg_1","type":"message","role":"assistant","model":"up","content":[{"type":"text","text":"Hello"}],'
    )
    body += b'"stop_reason":"end_turn","usage":{"input_tokens":5,"output_tokens":7},"unknown":1.50}'
    here = world(reply(200, body, {"content-type": "application/json"}))
    answer = await here.ask(PATH, BODY)
    assert (answer.status, answer.body) == (200, body)


async def test_the_anthropic_sdk_understands_its_own_dialect(world):
    here = world(stream(*EVENTS, pause=0))
    async with sdk_of(here) as sdk, sdk.messages.stream(model=here.model, **BODY) as answer:
        assert "".join([text async for text in answer.text_stream]) == "Hello"
        final = await answer.get_final_message()
    assert (final.stop_reason, final.usage.output_tokens) == ("end_turn", 7)


async def test_betas_that_the_sdk_asks_for_reach_the_upstream(world):
    here = world(stream(*EVENTS, pause=0))
    headers = {"anthropic-beta": "context-management-2025-06-27,other", "x-other": "1"}
    async with sdk_of(here) as sdk, sdk.messages.stream(model=here.model, extra_headers=headers, **BODY) as answer:
        await answer.get_final_message()
    carried = dict(here.upstream.seen(here.model)[-1].request.headers)
    assert carried["anthropic-beta"] == headers["anthropic-beta"]
    assert "x-other" not in carried
    assert carried.get("x-api-key") != here.key


async def test_the_anthropic_sdk_reaches_a_chat_upstream(world):
    here = world(stream(*CALL, pause=0), provider="openai")
    async with sdk_of(here) as sdk:
        asked = {**BODY, "model": here.model, "system": "Be brief.", "tools": [TOOL]}
        async with sdk.messages.stream(**asked) as answer:
            final = await answer.get_final_message()
        whole = await sdk.messages.create(**asked)
    for message in (final, whole):
        [call] = message.content
        assert (call.type, call.name, call.input) == ("tool_use", "weather", {"city": "Rom"})
        assert (message.stop_reason, message.usage.input_tokens, message.usage.output_tokens) == ("tool_use", 9, 4)
    sent = here.sent()
    assert sent["messages"] == [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]
    assert sent["tools"][0]["function"]["name"] == "weather"


async def test_the_openai_sdk_reaches_a_messages_upstream(world):
    here = world(stream(*EVENTS, pause=0))
    async with openai.AsyncOpenAI(api_key=here.key, base_url=f"{here.url}/v1", max_retries=0) as sdk:
        asked = {"model": here.model, "messages": [{"role": "system", "content": "s"}, *BODY["messages"]]}
        whole = await sdk.chat.completions.create(**asked)
        pieces = [piece async for piece in await sdk.chat.completions.create(**asked, stream=True)]
    assert (whole.choices[0].message.content, whole.choices[0].finish_reason) == ("Hello", "stop")
    assert (whole.usage.prompt_tokens, whole.usage.completion_tokens) == (5, 7)
    assert "".join(p.choices[0].delta.content or "" for p in pieces) == "Hello"
    assert pieces[-1].choices[0].finish_reason == "stop"
    assert here.sent()["system"]
    assert here.sent()["max_tokens"] > 0


@pytest.mark.parametrize("provider", ["anthropic", "openai"])
async def test_a_cut_stream_ends_with_an_error_that_the_client_sees(world, provider):
    whole = EVENTS if provider == "anthropic" else chat_events("Hel", finish=None)
    here = world(stream(*whole[:4], pause=0), provider=provider)
    answer = await here.ask(PATH, STREAM)
    assert (answer.status, answer.complete) == (200, True)
    assert b"Hel" in answer.body
    assert b"message_stop" not in answer.body
    assert b"event: error\n" in answer.body
    async with sdk_of(here) as sdk:
        with pytest.raises(anthropic.APIStatusError):
            async with sdk.messages.stream(model=here.model, **BODY) as told:
                async for _ in told:
                    pass


@pytest.mark.parametrize(
    ("behaviour", "status", "kind"),
    [
        (reply(401, b'{"type":"error","error":{"type":"authentication_error","message":"bad"}}'), 502, "api_error"),
        (reply(400, b'{"type":"error","error":{"type":"invalid_request_error","message":"No."}}'), 400,
         "invalid_request_error"),
        (reply(529, b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}'), 529,
         "overloaded_error"),
        (faults.end_without_finish(), 502, "api_error"),
    ],
)  # fmt: skip
async def test_a_failure_before_content_has_a_status_and_the_envelope(world, behaviour, status, kind):
    here = world(behaviour)
    for fields in (STREAM, BODY):
        answer = await here.ask(PATH, fields)
        assert (answer.status, answer.json()["type"], answer.json()["error"]["type"]) == (status, "error", kind)


async def test_bad_requests_are_told_in_the_envelope(world):
    here = world()
    for fields in ({}, {"max_tokens": 1}, {"messages": []}, {**BODY, "stream": 1}):
        answer = await here.ask(PATH, fields)
        assert (answer.status, answer.json()["error"]["type"]) == (400, "invalid_request_error")
