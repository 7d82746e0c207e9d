"""Anthropic's own SDK reads what the messages writer writes."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

import anthropic
import pytest
from messages_streams import STREAMS, answered, read

from gateway.errors import RateLimited, Unauthenticated
from gateway.events import Citation, End, Event, Failure, Finish, Reasoning, Start, Text, ToolCall, Usage
from gateway.testing.upstream import Behaviour, ScriptedUpstream, stream
from gateway.wire.messages import MESSAGES_CLIENT

ASKED: dict[str, Any] = {"model": "m", "max_tokens": 99, "messages": [{"role": "user", "content": "Hi"}]}
REQUEST = MESSAGES_CLIENT.read_request(json.dumps(ASKED).encode())
EVENTS: tuple[Event, ...] = (
    Start(id="c1", model="up"),
    Reasoning(text="Let me ", part=0),
    Reasoning(text="think.", part=0, signature="proof"),
    Text(text="It is ", part=1),
    Text(text="\U0001f389.", part=1),
    Citation(url="https://a.example", title="A", quote="q", part=1),
    ToolCall(part=2, id="t1", name="f", arguments='{"city": "R'),
    ToolCall(part=3, id="t2", name="g"),
    ToolCall(part=2, arguments='om"}'),
    ToolCall(part=3, arguments='{"n": [1, 2]}'),
    Usage(input=20, output=7, cache_read=12, reasoning=3),
    Finish(reason="tool_calls", native="tool_calls"),
    End(),
)


@pytest.fixture
async def upstream() -> AsyncIterator[ScriptedUpstream]:
    async with ScriptedUpstream() as server:
        yield server


def client(upstream: ScriptedUpstream, *behaviours: Behaviour) -> Any:
    base_url = upstream.play("sdk", *behaviours).removesuffix("/v1")
    return anthropic.AsyncAnthropic(base_url=base_url, api_key="key", max_retries=0, timeout=60.0)


def written(events: Sequence[Event], upstream: str = "chat", failure: Failure | None = None) -> Behaviour:
    writer = MESSAGES_CLIENT.writer(REQUEST, upstream)
    pieces = [writer.write([event]) for event in events]
    if failure is not None:
        pieces.append(writer.failure(failure))
    return stream(*(piece for piece in pieces if piece), pause=0.0)


def refused(error: Any) -> Behaviour:
    status, headers, body = MESSAGES_CLIENT.error(error)
    return Behaviour(status=status, headers=tuple(headers), writes=(body,))


def check(message: Any) -> None:
    """That it is what `EVENTS` say."""
    thinking, text, first, second = message.content
    assert (thinking.type, thinking.thinking) == ("thinking", "Let me think.")
    assert (text.text, text.citations[0].url) == ("It is \U0001f389.", "https://a.example")
    assert (first.id, first.name, first.input) == ("t1", "f", {"city": "Rom"})
    assert (second.id, second.name, second.input) == ("t2", "g", {"n": [1, 2]})
    assert (message.id, message.model, message.stop_reason) == ("c1", "up", "tool_use")
    usage = message.usage
    assert (usage.input_tokens, usage.cache_read_input_tokens, usage.output_tokens) == (8, 12, 7)
    assert usage.output_tokens_details.thinking_tokens == 3


async def test_a_stream_is_put_together_as_it_was_told(upstream: ScriptedUpstream) -> None:
    async with client(upstream, written(EVENTS)) as sdk, sdk.messages.stream(**ASKED) as answer:
        texts = [text async for text in answer.text_stream]
        check(await answer.get_final_message())
    assert texts == ["It is ", "\U0001f389."]


async def test_a_whole_message_is_read(upstream: ScriptedUpstream) -> None:
    body = MESSAGES_CLIENT.writer(REQUEST, "chat").answer(answered(EVENTS, "chat"))
    whole = Behaviour(headers=(("content-type", "application/json"),), writes=(body,))
    async with client(upstream, whole) as sdk:
        check(await sdk.messages.create(**ASKED))


@pytest.mark.parametrize("name", STREAMS)
async def test_a_stream_written_anew_is_what_it_was(name: str, upstream: ScriptedUpstream) -> None:
    before, after = stream(*STREAMS[name], pause=0.0), written(read(b"".join(STREAMS[name])), "messages")
    messages = []
    async with client(upstream, before, after) as sdk:
        for _ in range(2):
            async with sdk.messages.stream(**ASKED) as answer:
                messages.append((await answer.get_final_message()).to_dict())
    assert messages[0] == messages[1]


async def test_a_broken_stream_raises_what_broke_it(upstream: ScriptedUpstream) -> None:
    failure = Failure(code="idle_timeout", message="The upstream went silent.", status=504)
    async with client(upstream, written(EVENTS[:4], failure=failure)) as sdk:
        with pytest.raises(anthropic.APIStatusError) as raised:
            async with sdk.messages.stream(**ASKED) as answer:
                await answer.get_final_message()
    assert (raised.value.type, raised.value.api_message) == ("timeout_error", "The upstream went silent.")
    assert raised.value.error_code == "idle_timeout"


async def test_a_refusal_is_the_exception_of_its_status(upstream: ScriptedUpstream) -> None:
    limited = RateLimited("Too fast.", retry_after=3)
    async with client(upstream, refused(Unauthenticated("Who?")), refused(limited)) as sdk:
        with pytest.raises(anthropic.AuthenticationError) as raised:
            await sdk.messages.create(**ASKED)
        assert (raised.value.type, raised.value.api_message) == ("authentication_error", "Who?")
        with pytest.raises(anthropic.RateLimitError) as limit:
            await sdk.messages.create(**ASKED)
        assert limit.value.response.headers["retry-after"] == "3"


async def test_pings_say_nothing(upstream: ScriptedUpstream) -> None:
    writer = MESSAGES_CLIENT.writer(REQUEST, "chat")
    pieces = [piece + writer.ping for event in EVENTS if (piece := writer.write([event]))]
    async with client(upstream, stream(*pieces, pause=0.0)) as sdk, sdk.messages.stream(**ASKED) as answer:
        check(await asyncio.wait_for(answer.get_final_message(), 60))


async def test_the_sdks_own_request_is_taken(upstream: ScriptedUpstream) -> None:
    tools = [{"name": "f", "input_schema": {"type": "object"}}]
    asked = {**ASKED, "tools": tools, "system": "Be brief."}
    async with client(upstream, written(EVENTS)) as sdk, sdk.messages.stream(**asked) as answer:
        await answer.get_final_message()
    sent = upstream.seen("sdk")[0].request
    request = MESSAGES_CLIENT.read_request(sent.body)
    assert sent.target.endswith("/v1/messages")
    assert (request.stream, request.prompt.max_tokens, request.prompt.tools[0].name) == (True, 99, "f")  # type: ignore[union-attr]
