"""The demo model over its real socket, asked by the openai SDK."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from openai import AsyncOpenAI, BadRequestError, NotFoundError

from gateway.testing.demo import DemoUpstream

MESSAGES = [
    {"role": "user", "content": "one"},
    {"role": "assistant", "content": "1"},
    {"role": "user", "content": "two"},
]


@pytest.fixture
async def sdk() -> AsyncIterator[AsyncOpenAI]:
    async with (
        DemoUpstream(delay=0.001) as demo,
        AsyncOpenAI(api_key="none", base_url=demo.base_url, max_retries=0) as client,
    ):
        yield client


async def test_the_stream_opens_with_a_role_and_ends_with_a_finish_reason_and_usage(sdk):
    stream = await sdk.chat.completions.create(
        model="demo", messages=MESSAGES, stream=True, stream_options={"include_usage": True}
    )
    chunks = [chunk async for chunk in stream]
    first, *words, finish, usage = chunks
    assert (first.choices[0].delta.role, first.choices[0].delta.content) == ("assistant", "")
    assert "“two”" in "".join(chunk.choices[0].delta.content for chunk in words)
    assert finish.choices[0].finish_reason == "stop"
    assert (usage.choices, usage.usage.total_tokens > 0) == ([], True)


async def test_usage_is_not_sent_unasked(sdk):
    stream = await sdk.chat.completions.create(model="demo", messages=MESSAGES, stream=True)
    assert all(chunk.usage is None and chunk.choices for chunk in [chunk async for chunk in stream])


async def test_a_plain_request_gets_one_completion_quoting_the_last_user_message(sdk):
    parts = [{"role": "user", "content": [{"type": "text", "text": "three"}]}]
    completion = await sdk.chat.completions.create(model="demo", messages=parts)
    assert "“three”" in completion.choices[0].message.content


async def test_it_lists_its_model(sdk):
    assert [model.id async for model in sdk.models.list()] == ["demo"]


async def test_unknown_paths_and_bad_bodies_get_an_openai_error(sdk):
    with pytest.raises(NotFoundError, match="Unknown request URL"):
        await sdk.embeddings.create(model="demo", input="x")
    with pytest.raises(BadRequestError, match="list of messages"):
        await sdk.post("/chat/completions", cast_to=object, body={"model": "demo"})


async def test_noise_on_the_socket_closes_it_and_disturbs_nobody(sdk):
    port = sdk.base_url.port
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"\x16\x03\x01 this is no HTTP\r\n\r\n")
    assert await reader.read() == b""
    writer.close()
    assert [model.id async for model in sdk.models.list()] == ["demo"]
