"""`POST /v1/responses` on the real server: in its own dialect, and before upstreams that speak the two others."""

import json

import httpx2
import openai
import pytest
import pytest_asyncio
from test_v1_messages import CALL, EVENTS
from v1_world import worlds

from gateway.testing import faults
from gateway.testing.upstream import chat_events, reply, stream

PATH = "/v1/responses"
pytestmark = pytest.mark.asyncio(loop_scope="module")
BODY = {"input": "Hi"}
STREAM = {**BODY, "stream": True}
OWN = "openai+responses"
ID = "resp_67c9"
TOOL = {"type": "function", "name": "weather", "parameters": {"type": "object"}, "strict": False}
ITEM = {"id": "msg_1", "type": "message", "status": "completed", "role": "assistant", "phase": "final_answer"}
PART = {"type": "output_text", "text": "Hello", "annotations": [], "logprobs": []}
USAGE = {"input_tokens": 5, "output_tokens": 7, "total_tokens": 12}


def event(name, **said) -> bytes:
    return f"event: {name}\ndata: {json.dumps({'type': name, **said})}\n\n".encode()


def response(status, *output, **more) -> dict:
    said = {"id": ID, "object": "response", "created_at": 1, "model": "up", "status": status, "output": list(output)}
    return {**said, "unknown": 1.50, **more}


PLACE = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
WHOLE = response("completed", {**ITEM, "content": [PART]}, usage=USAGE)
SAID = (
    event("response.created", response=response("in_progress"), sequence_number=0),
    event("response.in_progress", response=response("in_progress"), sequence_number=1),
    event("response.output_item.added", output_index=0, item={**ITEM, "content": []}, sequence_number=2),
    event("response.content_part.added", **PLACE, part={**PART, "text": ""}, sequence_number=3),
    event("response.output_text.delta", **PLACE, delta="Hel", logprobs=[], sequence_number=4, obfuscation="x"),
    event("response.output_text.delta", **PLACE, delta="lo", logprobs=[], sequence_number=5),
    event("response.output_text.done", **PLACE, text="Hello", logprobs=[], sequence_number=6),
    event("response.content_part.done", **PLACE, part=PART, sequence_number=7),
    event("response.output_item.done", output_index=0, item={**ITEM, "content": [PART]}, sequence_number=8),
    event("response.completed", response=WHOLE, sequence_number=9),
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory):
    """A gateway with models of all three dialects."""
    async with worlds(tmp_path_factory.mktemp("responses") / "data", providers=(OWN, "openai", "anthropic")) as world:
        yield world


def sdk_of(here):
    """The official client, pointed at that gateway."""
    http = httpx2.AsyncClient(trust_env=False)
    return openai.AsyncOpenAI(api_key=here.key, base_url=f"{here.url}/v1", max_retries=0, http_client=http)


async def test_a_stream_that_is_not_kept_passes_byte_for_byte(world):
    here = world(stream(*SAID, pause=0))
    answer = await here.ask(PATH, {**STREAM, "store": False, "unknown": {"a": 1}})
    assert (answer.status, answer.body, answer.complete) == (200, b"".join(SAID), True)
    assert (here.sent()["model"], here.sent()["unknown"]) == ("up", {"a": 1})
    assert here.upstream.seen(here.model)[-1].request.target.endswith("/responses")


async def test_of_a_stream_that_is_kept_nothing_but_its_id_is_changed(world):
    here = world(stream(*SAID, pause=0))
    answer = await here.ask(PATH, STREAM)
    first = json.loads(answer.body.split(b"data: ")[1].split(b"\n")[0])["response"]["id"]
    assert first != ID
    assert answer.body.count(f'"{first}"'.encode()) == 3
    assert answer.body.replace(first.encode(), ID.encode()) == b"".join(SAID)


async def test_of_a_whole_answer_nothing_but_its_id_is_changed(world):
    body = json.dumps(WHOLE, indent=1).encode()
    here = world(reply(200, body, {"content-type": "application/json"}))
    kept = await here.ask(PATH, BODY)
    assert kept.body.replace(kept.json()["id"].encode(), ID.encode()) == body
    assert kept.json()["id"] != ID
    assert (await here.ask(PATH, {**BODY, "store": False})).body == body


async def test_the_openai_sdk_understands_its_own_dialect(world):
    here = world(stream(*SAID, pause=0))
    async with sdk_of(here) as sdk:
        async with sdk.responses.stream(model=here.model, input="Hi") as answer:
            kinds = [event.type async for event in answer]
            final = await answer.get_final_response()
        whole = await sdk.responses.create(model=here.model, input="Hi")
    assert (final.output_text, final.usage.output_tokens) == ("Hello", 7)
    assert kinds[-1] == "response.completed"
    assert whole.output_text == "Hello"  # the upstream streams although nobody asked, as Hugging Face's does
    assert whole.output[0].phase == "final_answer"
    assert whole.id == final.id


@pytest.mark.parametrize(("provider", "said"), [("openai", CALL), ("anthropic", EVENTS)])
async def test_the_openai_sdk_reaches_upstreams_of_other_dialects(world, provider, said):
    here = world(stream(*said, pause=0), provider=provider)
    asked = {"model": here.model, "input": [{"role": "user", "content": "Hi"}], "instructions": "Be brief."}
    async with sdk_of(here) as sdk:
        async with sdk.responses.stream(**asked, tools=[TOOL]) as answer:
            numbers = [event.sequence_number async for event in answer]
            final = await answer.get_final_response()
        whole = await sdk.responses.create(**asked, tools=[TOOL])
    assert numbers == sorted(set(numbers))
    for told in (final, whole):
        assert (told.status, told.store, told.instructions) == ("completed", False, "Be brief.")
        if provider == "openai":
            [call] = told.output
            assert (call.type, call.name, json.loads(call.arguments)) == ("function_call", "weather", {"city": "Rom"})
            assert (told.usage.input_tokens, told.usage.output_tokens) == (9, 4)
        else:
            assert told.output_text == "Hello"
            assert (told.usage.input_tokens, told.usage.output_tokens) == (5, 7)
    sent = here.sent()
    assert sent["tools"][0].get("name", sent["tools"][0].get("function", {}).get("name")) == "weather"


@pytest.mark.parametrize("provider", [OWN, "openai", "anthropic"])
async def test_a_cut_stream_ends_with_an_error_that_the_client_sees(world, provider):
    whole = {OWN: SAID[:5], "openai": chat_events("Hel", finish=None)[:4], "anthropic": EVENTS[:4]}[provider]
    here = world(stream(*whole, pause=0), provider=provider)
    answer = await here.ask(PATH, STREAM)
    assert (answer.status, answer.complete) == (200, True)
    assert b"Hel" in answer.body
    assert b"response.completed" not in answer.body
    *_, error, failed = [json.loads(said.split(b"data: ")[1]) for said in answer.body.split(b"\n\n")[:-1]]
    assert (error["type"], error["code"], error["error"]["code"]) == ("error", *["upstream_truncated"] * 2)
    assert (failed["type"], failed["response"]["status"]) == ("response.failed", "failed")
    begun = json.loads(answer.body.split(b"data: ")[1].split(b"\n")[0])["response"]["id"]
    assert failed["response"]["id"] == begun
    assert failed["sequence_number"] == error["sequence_number"] + 1 > 4
    async with sdk_of(here) as sdk:
        with pytest.raises(openai.APIError, match="before it was complete"):
            async with sdk.responses.stream(model=here.model, input="Hi") as told:
                async for _ in told:
                    pass
        with pytest.raises(openai.APIError, match="before it was complete"):
            async for _ in await sdk.responses.create(model=here.model, input="Hi", stream=True):
                pass


@pytest.mark.parametrize(
    ("behaviour", "status", "code"),
    [
        (reply(401, b'{"error":{"message":"bad"}}'), 502, "upstream_authentication_error"),
        (reply(400, b'{"error":{"message":"No.","code":"x","param":"input"}}'), 400, "x"),
        (faults.end_without_finish(), 502, "upstream_truncated"),
        (stream(SAID[0], event("error", code="server_error", message="Oh", param=None), pause=0), 500, "server_error"),
        (reply(200, json.dumps(response("failed", error={"code": "rate_limit_exceeded", "message": "m"})).encode()),
         429, "rate_limit_exceeded"),
    ],
)  # fmt: skip
async def test_a_failure_before_content_has_a_status_and_the_envelope(world, behaviour, status, code):
    here = world(behaviour)
    for fields in (STREAM, BODY):
        answer = await here.ask(PATH, fields)
        assert (answer.status, answer.json()["error"]["code"]) == (status, code)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({}, "input"),
        ({"input": 1}, "input"),
        ({**BODY, "stream": 1}, "stream"),
        ({**BODY, "previous_response_id": 1}, "previous_response_id"),
        ({**BODY, "previous_response_id": "resp_67c9"}, "previous_response_id"),
        ({**BODY, "conversation": "conv_1"}, "conversation"),
        ({**BODY, "background": True}, "background"),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "input"),
        ({"input": [{"role": "user", "content": [{"type": "input_text"}]}]}, "input[0].content[0].text"),
    ],
)
async def test_what_cannot_be_answered_is_refused_by_name(world, fields, param):
    here = world(stream(*CALL, pause=0), provider="openai")
    answer = await here.ask(PATH, fields)
    assert (answer.status, answer.json()["error"]["param"]) == (400, param)
