"""Gemini's models behind every surface of the real server, asked by the official clients of other makers."""

import json

import anthropic
import httpx2
import openai
import pytest
import pytest_asyncio
from gemini_streams import BROKEN, ROME, SIGNATURE, STREAMS
from v1_world import worlds

from gateway.testing.upstream import Ending, reply

pytestmark = pytest.mark.asyncio(loop_scope="module")
USER = {"role": "user", "content": "Hi"}
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
CALLED = STREAMS["parallel_calls"]
BAD_KEY = {"error": {"code": 400, "message": "API key not valid.", "details": [{"reason": "API_KEY_INVALID"}]}}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory):
    """A gateway with models of both providers."""
    async with worlds(tmp_path_factory.mktemp("gemini") / "data", providers=("gemini", "vertex")) as world:
        yield world


def openai_sdk(here):
    return openai.AsyncOpenAI(api_key=here.key, base_url=f"{here.url}/v1", max_retries=0)


def anthropic_sdk(here):
    http = httpx2.AsyncClient(trust_env=False)
    return anthropic.AsyncAnthropic(api_key=here.key, base_url=here.url, max_retries=0, http_client=http)


def asked_again(here):
    """What Gemini is sent of the turn that it said itself, and of the results."""
    _, said, results = here.sent()["contents"]
    assert (said["role"], results["role"]) == ("model", "user")
    return said["parts"], [part["functionResponse"] for part in results["parts"]]


def assert_signed(here):
    (text, first, second), results = asked_again(here)
    assert text == {"text": "I will look."}
    assert (first["functionCall"]["args"], first["thoughtSignature"]) == (ROME, SIGNATURE)
    assert "thoughtSignature" not in second
    assert [one["id"] for one in results] == [part["functionCall"]["id"] for part in (first, second)]


async def test_the_openai_sdk_streams_and_goes_on_with_what_it_got(world):
    here = world(CALLED.behaviour())
    tools = [{"type": "function", "function": {"name": "weather", "parameters": SCHEMA}}]
    asked = {"model": here.model, "tools": tools, "messages": [USER]}
    async with openai_sdk(here) as sdk:
        async with sdk.chat.completions.stream(**asked, stream_options={"include_usage": True}) as answer:
            final = await answer.get_final_completion()
        whole = await sdk.chat.completions.create(**asked)
        for completion in (final, whole):
            (choice,) = completion.choices
            assert choice.finish_reason == "tool_calls"
            assert [json.loads(call.function.arguments)["city"] for call in choice.message.tool_calls] == [
                "Rome",
                "Oslo",
            ]
            assert (completion.usage.prompt_tokens, completion.usage.completion_tokens) == (9, 26)
            assert completion.usage.completion_tokens_details.reasoning_tokens == 20
            message = choice.message.model_dump(exclude_none=True, exclude={"parsed"})
            for call in message["tool_calls"]:
                call["function"].pop("parsed_arguments", None)
            told = [{"role": "tool", "tool_call_id": call["id"], "content": "sun"} for call in message["tool_calls"]]
            await sdk.chat.completions.create(**{**asked, "messages": [USER, message, *told]})
            assert_signed(here)
    seen = here.upstream.seen(here.model)[0].request
    assert seen.target.endswith("/models/up:streamGenerateContent?alt=sse")
    assert json.loads(seen.body)["tools"] == [
        {"functionDeclarations": [{"name": "weather", "parametersJsonSchema": SCHEMA}]}
    ]


async def test_the_anthropic_sdk_streams_and_goes_on_with_what_it_got(world):
    here = world(CALLED.behaviour())
    tools = [{"name": "weather", "input_schema": SCHEMA}]
    asked = {"model": here.model, "max_tokens": 100, "tools": tools, "messages": [USER]}
    async with anthropic_sdk(here) as sdk:
        async with sdk.messages.stream(**asked) as answer:
            final = await answer.get_final_message()
        whole = await sdk.messages.create(**asked)
        for message in (final, whole):
            assert (message.stop_reason, message.usage.output_tokens) == ("tool_use", 26)
            calls = [block for block in message.content if block.type == "tool_use"]
            assert [call.input["city"] for call in calls] == ["Rome", "Oslo"]
            told = [{"type": "tool_result", "tool_use_id": call.id, "content": "sun"} for call in calls]
            turns = [USER, {"role": "assistant", "content": message.content}, {"role": "user", "content": told}]
            await sdk.messages.create(**{**asked, "messages": turns})
            assert_signed(here)


async def test_the_openai_sdk_goes_on_with_responses(world):
    here = world(CALLED.behaviour())
    tools = [{"type": "function", "name": "weather", "parameters": SCHEMA}]
    asked = {"model": here.model, "tools": tools}
    async with openai_sdk(here) as sdk:
        async with sdk.responses.stream(**asked, input=[USER]) as answer:
            final = await answer.get_final_response()
        output = [item.model_dump(exclude_none=True, exclude={"parsed_arguments"}) for item in final.output]
        for item in output:
            for content in item.get("content", ()):
                content.pop("parsed", None)
        ids = [item["call_id"] for item in output if item["type"] == "function_call"]
        told = [{"type": "function_call_output", "call_id": id, "output": "sun"} for id in ids]
        await sdk.responses.create(**asked, input=[USER, *output, *told])
    assert_signed(here)


async def test_thoughts_and_two_choices_reach_the_openai_sdk(world):
    here = world(STREAMS["thoughts"].behaviour(), STREAMS["two_choices"].behaviour())
    async with openai_sdk(here) as sdk:
        thought = await sdk.chat.completions.create(model=here.model, messages=[USER], reasoning_effort="high")
        two = await sdk.chat.completions.create(model=here.model, messages=[USER], n=2)
    assert thought.choices[0].message.reasoning_content == "**Adding** 27 and 453."
    assert thought.choices[0].message.content == "It is 480."
    assert [choice.message.content for choice in two.choices] == ["one!", "two?"]
    assert here.sent()["generationConfig"] == {"candidateCount": 2}


async def test_a_cut_stream_is_an_error_that_the_sdks_raise(world):
    cut = STREAMS["text"].behaviour(writes=2)
    here = world(cut, STREAMS["text"].behaviour(writes=2, ending=Ending.RESET), cut)
    async with openai_sdk(here) as sdk:
        for _ in range(2):
            text = ""
            with pytest.raises(openai.APIError):
                async for chunk in await sdk.chat.completions.create(model=here.model, messages=[USER], stream=True):
                    text += chunk.choices[0].delta.content or ""
            assert text == "AI works by learning, caf\u00e9 \U0001f389"
    async with anthropic_sdk(here) as sdk:
        with pytest.raises(anthropic.APIStatusError):
            async with sdk.messages.stream(model=here.model, max_tokens=9, messages=[USER]) as told:
                async for _ in told:
                    pass


async def test_a_blocked_prompt_is_a_filtered_answer(world):
    here = world(STREAMS["blocked"].behaviour())
    async with openai_sdk(here) as sdk:
        whole = await sdk.chat.completions.create(model=here.model, messages=[USER])
    assert (whole.choices[0].finish_reason, whole.choices[0].message.content) == ("content_filter", None)
    async with anthropic_sdk(here) as sdk:
        message = await sdk.messages.create(model=here.model, max_tokens=9, messages=[USER])
    assert (message.stop_reason, message.content) == ("refusal", [])


@pytest.mark.parametrize("provider", ["gemini", "vertex"])
@pytest.mark.parametrize(
    ("answer", "status", "message"),
    [
        (reply(400, json.dumps([BAD_KEY]).encode()), 502, "The gateway's credential for this model was refused"),
        (reply(404, b'[{"error":{"code":404,"message":"No model.","status":"NOT_FOUND"}}]'), 404, "No model."),
    ],
)
async def test_errors_have_their_status_and_googles_words(world, provider, answer, status, message):
    here = world(answer, provider=provider)
    for path, more in (("/v1/chat/completions", {}), ("/v1/messages", {"max_tokens": 9})):
        for stream in (True, False):
            told = await here.ask(path, {"messages": [USER], "stream": stream, **more})
            assert told.status == status
            assert told.json()["error"]["message"].startswith(message)


async def test_a_call_nobody_can_read_is_asked_for_again(world):
    broken = BROKEN["a_call_nobody_can_read"]
    at_once = type(broken)(writes=broken.writes[1:], says=broken.says)
    here = world(at_once.behaviour(), STREAMS["text"].behaviour())
    told = await here.ask("/v1/chat/completions", {"messages": [USER]})
    assert (told.status, told.json()["choices"][0]["message"]["content"]) == (200, STREAMS["text"].says.text)
    assert len(here.upstream.seen(here.model)) == 2
