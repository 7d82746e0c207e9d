"""`POST /v1/completions` on the real server: exact towards upstreams that have it, a chat for all others."""

import hashlib
import json

import httpx2
import openai
import pytest
import pytest_asyncio
from v1_world import worlds

from gateway.testing import canned_messages, faults
from gateway.testing.upstream import Ending, reply, stream

PATH = "/v1/completions"
FRAMES = (
    b'data: {"id":"cmpl-1","object":"text_completion","choices":[{"text":"a","index":0,"logprobs":null,'
    b'"finish_reason":null}],"x":1.50}\n\n',
    b'data: {"choices" : [{"text":"\xc3\xa9","index":0,"finish_reason":"length"}],"usage":null}\n\n',
)
USAGE = b'data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}\n\n'
DONE = b"data: [DONE]\n\n"
MESSAGE = (canned_messages.start(input_tokens=3), *canned_messages.text("Hel", "lo"), *canned_messages.end())
WHOLE = (
    b'{ "id":"c", "object":"text_completion", "choices":[{"text":"a","index":0,"finish_reason":"stop"}],"n":1.50,'
    b'"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}'
)

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory):
    async with worlds(tmp_path_factory.mktemp("legacy") / "data", providers=("openai", "anthropic")) as world:
        yield world


def sdk_of(here):
    http = httpx2.AsyncClient(trust_env=False)
    return openai.AsyncOpenAI(api_key=here.key, base_url=f"{here.url}/v1", max_retries=0, http_client=http)


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


async def test_a_stream_passes_byte_for_byte_and_the_usage_only_we_asked_for_is_kept(world):
    here = world(stream(*FRAMES, USAGE, DONE, pause=0))
    answer = await here.ask(PATH, {"prompt": "Hi", "stream": True, "echo": True, "new": 1})
    assert (answer.status, digest(answer.body)) == (200, digest(b"".join((*FRAMES, DONE))))
    sent = here.sent()
    assert here.upstream.seen(here.model)[0].request.target == f"/{here.model}/v1/completions"
    assert (sent.pop("stream_options"), sent.pop("model")) == ({"include_usage": True}, "up")
    assert sent == {"prompt": "Hi", "stream": True, "echo": True, "new": 1}


async def test_a_whole_answer_passes_byte_for_byte(world):
    here = world(reply(200, WHOLE, {"content-type": "application/json"}))
    answer = await here.ask(PATH, {"prompt": ["Hi"], "logprobs": 2})
    assert (answer.status, digest(answer.body)) == (200, digest(WHOLE))


async def test_the_sdk_streams(world):
    here = world(stream(*FRAMES, DONE, pause=0))
    async with sdk_of(here) as client:
        told = await client.completions.create(model=here.model, prompt="Hi", stream=True)
        assert "".join([chunk.choices[0].text async for chunk in told]) == "aé"


@pytest.mark.parametrize("ending", [Ending.COMPLETE, Ending.CLOSE, Ending.RESET])
async def test_a_stream_without_finish_reason_never_ends_cleanly(world, ending):
    here = world(stream(FRAMES[0], pause=0, ending=ending))
    async with sdk_of(here) as client:
        told = await client.completions.create(model=here.model, prompt="Hi", stream=True)
        with pytest.raises(openai.APIError, match=r"complete"):
            assert [chunk.choices[0].text async for chunk in told] == ["a"]


async def test_every_choice_of_every_prompt_must_have_finished(world):
    second = FRAMES[1].replace(b'"index":0', b'"index":1')
    cut = world(stream(*FRAMES, pause=0))
    whole = world(stream(*FRAMES, second, pause=0))
    asked = {"prompt": ["a", "b"], "stream": True}
    assert b"upstream_truncated" in (await cut.ask(PATH, asked)).body
    assert digest((await whole.ask(PATH, asked)).body) == digest(b"".join((*FRAMES, second, DONE)))


async def test_done_is_added_where_the_upstream_left_it_out(world):
    here = world(stream(*FRAMES, pause=0))
    assert (await here.ask(PATH, {"prompt": "a", "stream": True})).body == b"".join((*FRAMES, DONE))


async def test_a_model_of_another_dialect_is_asked_a_chat(world):
    here = world(stream(*MESSAGE, pause=0), provider="anthropic")
    asked = {"prompt": "Hi", "max_tokens": 9, "stop": ["x"], "stream": True, "stream_options": {"include_usage": True}}
    async with sdk_of(here) as client:
        chunks = [chunk async for chunk in await client.completions.create(model=here.model, **asked)]
    assert "".join(chunk.choices[0].text for chunk in chunks if chunk.choices) == "Hello"
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    assert {chunk.object for chunk in chunks} == {"text_completion"}
    assert chunks[-1].usage.completion_tokens is not None
    sent = here.sent()
    assert sent["messages"] == [{"role": "user", "content": "Hi"}]
    assert (sent["max_tokens"], sent["stop_sequences"]) == (9, ["x"])


async def test_a_model_of_another_dialect_answers_whole(world):
    here = world(stream(*MESSAGE, pause=0), provider="anthropic")
    async with sdk_of(here) as client:
        told = await client.completions.create(model=here.model, prompt="Hi")
    assert (told.object, told.choices[0].text, told.choices[0].finish_reason) == ("text_completion", "Hello", "stop")


MEANINGLESS = {
    "prompt": [{"prompt": ["a", "b"]}, {"prompt": [1, 2]}, {"prompt": [[1], [2]]}],
    "suffix": [{"prompt": "a", "suffix": "b"}],
    "echo": [{"prompt": "a", "echo": True}],
    "logprobs": [{"prompt": "a", "logprobs": 0}],
}


async def test_what_has_no_meaning_in_a_chat_is_refused_by_name(world):
    here = world(provider="anthropic")
    for name, requests in MEANINGLESS.items():
        for request in requests:
            answer = await here.ask(PATH, request)
            error = json.loads(answer.body)["error"]
            assert (answer.status, error["param"]) == (400, name)
            assert error["message"].startswith(f"The provider \"anthropic\" of this model cannot honour '{name}'")
    assert here.upstream.seen(here.model) == []


async def test_of_several_prompts_their_number_is_refused_and_of_tokens_that_they_are_no_text(world):
    here = world(provider="anthropic")
    for prompt, told in (
        (["a", "b"], "'prompt' holds 2 prompts, and one is a message: send a request for each."),
        ([[1], [2]], "'prompt' holds 2 prompts, and one is a message: send a request for each."),
        ([1], "'prompt' holds tokens, and a message is text: send text."),
        ([1, 2], "'prompt' holds tokens, and a message is text: send text."),
    ):
        answer = await here.ask(PATH, {"prompt": prompt})
        assert json.loads(answer.body)["error"]["message"] == (
            f"The provider \"anthropic\" of this model cannot honour 'prompt' as it is. {told}"
        )


async def test_bad_requests_are_told(world):
    here = world()
    for fields, name in (({"prompt": 5}, "prompt"), ({"prompt": "a", "n": 0}, "n"), ({"stream": 1}, "stream")):
        answer = await here.ask(PATH, fields)
        assert (answer.status, json.loads(answer.body)["error"]["param"]) == (400, name)


async def test_a_client_that_leaves_closes_the_upstream(world):
    here = world(faults.stall_midstream("a"))
    exchange = await here.open(PATH, {"prompt": "a", "stream": True})
    seen = await here.upstream.wait_for(here.model)
    await exchange.leave()
    await seen.closed()
