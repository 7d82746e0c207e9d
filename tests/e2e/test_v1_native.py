"""Providers with wire formats of their own, asked through a running gateway by the official clients."""

import anthropic
import httpx2
import msgspec
import openai
import pytest
import pytest_asyncio
from v1_world import worlds

import gateway_bedrock.conformance
import gateway_cohere.conformance
import gateway_ollama.conformance
from gateway.testing.canned import Canned
from gateway.testing.upstream import reply

pytestmark = pytest.mark.asyncio(loop_scope="module")
MESSAGES = [{"role": "user", "content": "Hi"}]
TOOL = {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}
DECLARED = {
    "bedrock": gateway_bedrock.conformance.CONFORMANCE,
    "cohere": gateway_cohere.conformance.CONFORMANCE,
    "ollama": gateway_ollama.conformance.CONFORMANCE,
}
THROTTLED = {"bedrock": 424, "cohere": 502, "ollama": 502}
PATHS = {
    "bedrock": "/model/up/converse-stream",
    "cohere": "/v2/chat",
    "ollama": "/api/chat",
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory):
    """A gateway with models of all of them."""
    async with worlds(
        tmp_path_factory.mktemp("native") / "data",
        providers=(*DECLARED, "gemini"),
        api_keys=dict.fromkeys(EMBEDDINGS, "sk-up"),
    ) as world:
        yield world


def playing(world, provider, *names):
    canned = [msgspec.convert(DECLARED[provider]["answers"][name], Canned) for name in names]
    return world(*(one.behaviour(pause=0) for one in canned), provider=provider)


def sdk_of(here):
    http = httpx2.AsyncClient(trust_env=False)
    return openai.AsyncOpenAI(api_key=here.key, base_url=f"{here.url}/v1", max_retries=0, http_client=http)


@pytest.mark.parametrize("provider", DECLARED)
async def test_the_openai_sdk_streams_thinking_text_and_usage(world, provider):
    here = playing(world, provider, "reasoning")
    async with sdk_of(here) as sdk:
        asked = {"model": here.model, "messages": MESSAGES, "stream_options": {"include_usage": True}}
        pieces = [piece async for piece in await sdk.chat.completions.create(**asked, stream=True)]
    deltas = [choice.delta for piece in pieces for choice in piece.choices]
    assert "".join(delta.content or "" for delta in deltas) == "Hello there, world."
    assert "".join(getattr(delta, "reasoning_content", None) or "" for delta in deltas) == "Let me think."
    assert [c.finish_reason for piece in pieces for c in piece.choices if c.finish_reason] == ["stop"]
    assert pieces[-1].choices == []
    assert (pieces[-1].usage.prompt_tokens, pieces[-1].usage.completion_tokens) == (11, 7)
    assert here.upstream.seen(here.model)[0].request.target.endswith(PATHS[provider])


@pytest.mark.parametrize("provider", DECLARED)
async def test_the_openai_sdk_gets_whole_answers_and_calls_of_tools(world, provider):
    here = playing(world, provider, "json_for_a_stream", "parallel_tools")
    async with sdk_of(here) as sdk:
        whole = await sdk.chat.completions.create(model=here.model, messages=MESSAGES)
        called = await sdk.chat.completions.create(model=here.model, messages=MESSAGES, tools=[TOOL])
    assert (whole.choices[0].message.content, whole.choices[0].finish_reason) == ("Hello there, world.", "stop")
    assert whole.usage.completion_tokens == 7
    calls = called.choices[0].message.tool_calls
    assert [call.function.name for call in calls] == ["get_weather", "get_time"]
    assert len({call.id for call in calls}) == 2
    assert called.choices[0].finish_reason == "tool_calls"


@pytest.mark.parametrize("provider", DECLARED)
async def test_errors_inside_a_200_are_raised_by_the_sdk(world, provider):
    here = playing(world, provider, "error_at_once")
    async with sdk_of(here) as sdk:
        asked = {"model": here.model, "messages": MESSAGES, "stream": True}
        with pytest.raises(openai.APIStatusError) as refused:
            await sdk.chat.completions.create(**asked)
        assert refused.value.status_code == THROTTLED[provider]
        here = playing(world, provider, "error_in_the_stream")
        said = []
        with pytest.raises(openai.APIError):
            async for piece in await sdk.chat.completions.create(**{**asked, "model": here.model}):
                said += [choice.delta.content or "" for choice in piece.choices]
    assert "".join(said).startswith("Hello")


@pytest.mark.parametrize("provider", DECLARED)
async def test_the_anthropic_sdk_reaches_them_too(world, provider):
    here = playing(world, provider, "reasoning")
    http = httpx2.AsyncClient(trust_env=False)
    sdk = anthropic.AsyncAnthropic(api_key=here.key, base_url=here.url, max_retries=0, http_client=http)
    async with sdk, sdk.messages.stream(model=here.model, max_tokens=100, messages=MESSAGES) as answer:
        final = await answer.get_final_message()
    assert [block.type for block in final.content] == ["thinking", "text"]
    assert final.content[1].text == "Hello there, world."
    assert (final.stop_reason, final.usage.input_tokens, final.usage.output_tokens) == ("end_turn", 11, 7)


async def test_a_wrong_checksum_ends_the_answer_where_it_is(world):
    canned = msgspec.convert(DECLARED["bedrock"]["answers"]["text"], Canned)
    broken = bytearray(canned.writes[2])
    broken[-6] ^= 1
    writes = (*canned.writes[:2], bytes(broken), *canned.writes[3:])
    here = world(msgspec.structs.replace(canned, writes=writes).behaviour(pause=0), provider="bedrock")
    said = []
    async with sdk_of(here) as sdk:
        with pytest.raises(openai.APIError, match="checksum"):
            async for piece in await sdk.chat.completions.create(model=here.model, messages=MESSAGES, stream=True):
                said += [choice.delta.content or "" for choice in piece.choices]
    assert "".join(said) == "Hello"


EMBEDDED = b'{"object":"list","data":[{"embedding":[0.5],"index":0}],"usage":{"prompt_tokens":2,"total_tokens":2}}'
EMBEDDINGS = {
    "cohere": "/compatibility/v1/embeddings",
    "gemini": "/v1/openai/embeddings",
    "ollama": "/v1/embeddings",
}


@pytest.mark.parametrize("provider", EMBEDDINGS)
async def test_embeddings_pass_to_the_providers_that_take_openais_form(world, provider):
    here = world(reply(200, EMBEDDED, {"content-type": "application/json"}), provider=provider)
    answer = await here.ask("/v1/embeddings", {"input": "Hi", "dimensions": 1})
    assert (answer.status, answer.body) == (200, EMBEDDED)
    asked = here.upstream.seen(here.model)[-1].request
    assert asked.target == f"/{here.model}{EMBEDDINGS[provider]}"
    assert asked.json() == {"input": "Hi", "dimensions": 1, "model": "up"}
    assert asked.header("authorization") == "Bearer sk-up"
    assert asked.header("x-goog-api-key") is None


async def test_rerank_passes_to_cohere(world):
    body = b'{"id":"1","results":[{"index":1,"relevance_score":0.9}],"meta":{"billed_units":{"search_units":1}}}'
    here = world(reply(200, body, {"content-type": "application/json"}), provider="cohere")
    answer = await here.ask("/v1/rerank", {"query": "q", "documents": ["a", "b"]})
    assert (answer.status, answer.body) == (200, body)
    assert here.upstream.seen(here.model)[-1].request.target.endswith("/v2/rerank")
    assert here.sent() == {"query": "q", "documents": ["a", "b"], "model": "up"}
