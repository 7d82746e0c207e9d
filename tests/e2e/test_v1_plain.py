"""Requests under `/v1` that are no chat, on the real server: bytes pass both ways, and endings are true."""

import asyncio
import hashlib
import json

import anthropic
import httpx2
import openai
import pytest
import pytest_asyncio
from v1_world import worlds

from gateway.testing import faults
from gateway.testing.upstream import Behaviour, Ending, reply, stream

HANG = 60
JSON = {"content-type": "application/json"}
EMBEDDING = (
    b'{ "object":"list", "data":[{"object":"embedding","index":0,"embedding":[0.10,1.50e-3]}], "model":"up",'
    b'"usage":{"prompt_tokens":7,"total_tokens":7},"n":1.50}'
)
SOUND = bytes(range(256)) * 40

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory):
    async with worlds(tmp_path_factory.mktemp("plain") / "data", providers=("openai", "anthropic")) as world:
        yield world


def sdk_of(here):
    http = httpx2.AsyncClient(trust_env=False)
    return openai.AsyncOpenAI(api_key=here.key, base_url=f"{here.url}/v1", max_retries=0, http_client=http)


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


async def post(here, path, body: bytes, content_type="application/json"):
    headers = [("authorization", f"Bearer {here.key}"), ("content-type", content_type)]
    return await (await here.gateway.client.send("POST", path, headers=headers, body=body)).finish()


@pytest.mark.parametrize(
    "path", ["/v1/embeddings", "/v1/moderations", "/v1/rerank", "/v1/images/generations", "/v1/score", "/v1/new/thing"]
)
async def test_json_passes_byte_for_byte_both_ways(world, path):
    here = world(reply(200, EMBEDDING, JSON))
    body = b'{"model":"%s","input":["a","\\u00e9"],"x":1.50,"deep":{"b":[1,2.0]}}'
    answer = await post(here, path, body % here.model.encode())
    seen = here.upstream.seen(here.model)[-1].request
    assert (answer.status, digest(answer.body)) == (200, digest(EMBEDDING))
    assert (seen.target.removeprefix(f"/{here.model}"), digest(seen.body)) == (path, digest(body % b"up"))
    assert answer.header("content-type") == "application/json"


async def test_embeddings_by_the_sdk(world):
    vector = b'{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.5,0.25]}],"model":"up"}'
    here = world(reply(200, vector, JSON))
    async with sdk_of(here) as client:
        told = await client.embeddings.create(model=here.model, input=["a"], encoding_format="float")
    assert told.data[0].embedding == [0.5, 0.25]
    assert here.sent()["model"] == "up"


async def test_moderations_by_the_sdk(world):
    here = world(reply(200, b'{"id":"modr-1","model":"up","results":[]}', JSON))
    async with sdk_of(here) as client:
        assert (await client.moderations.create(model=here.model, input="a")).id == "modr-1"


async def test_images_by_the_sdk_streamed_and_not(world):
    picture = stream(
        b'event: image_generation.partial_image\ndata: {"type":"image_generation.partial_image","b64_json":"AA=="}\n\n',
        b'event: image_generation.completed\ndata: {"type":"image_generation.completed","b64_json":"AAA=",'
        b'"usage":{"input_tokens":1,"output_tokens":2,"total_tokens":3}}\n\n',
        pause=0,
    )
    here = world(reply(200, b'{"created":1,"data":[{"b64_json":"AA=="}]}', JSON), picture)
    async with sdk_of(here) as client:
        assert (await client.images.generate(model=here.model, prompt="a")).data[0].b64_json == "AA=="
        events = [event.type async for event in await client.images.generate(model=here.model, prompt="a", stream=True)]
    assert events == ["image_generation.partial_image", "image_generation.completed"]


async def test_speech_passes_as_it_arrives(world):
    sound = Behaviour(headers=(("content-type", "audio/mpeg"),), writes=(SOUND, SOUND), chunked=True, pause=0)
    here = world(sound)
    async with sdk_of(here) as client:
        answer = await client.audio.speech.create(model=here.model, voice="alloy", input="Hi")
        assert digest(await answer.aread()) == digest(SOUND * 2)
    assert answer.response.headers["content-type"] == "audio/mpeg"


async def test_sound_goes_out_before_all_of_it_has_come(world):
    here = world(Behaviour(headers=(("content-type", "audio/mpeg"),), writes=(SOUND, SOUND), chunked=True, gated=True))
    body = json.dumps({"model": here.model, "input": "a"}).encode()
    headers = [("authorization", f"Bearer {here.key}"), ("content-type", "application/json")]
    exchange = await here.gateway.client.send("POST", "/v1/audio/speech", headers=headers, body=body)
    assert (await asyncio.wait_for(exchange.head(), HANG)).status == 200
    seen = here.upstream.seen(here.model)[0]
    assert seen.writes == 1
    seen.go_on()
    seen.go_on()
    answer = await exchange.finish()
    assert (digest(answer.body), answer.complete) == (digest(SOUND * 2), True)


async def test_sound_that_is_cut_is_cut_for_the_client(world):
    cut = Behaviour(headers=(("content-type", "audio/mpeg"),), writes=(SOUND,), chunked=True, ending=Ending.CLOSE)
    here = world(cut)
    answer = await post(here, "/v1/audio/speech", b'{"model":"%s"}' % here.model.encode())
    assert (answer.status, answer.complete) == (200, False)
    assert answer.body == SOUND


async def test_a_transcription_by_the_sdk_keeps_the_bytes_of_its_file(world):
    here = world(reply(200, b'{"text":"Hello","usage":{"type":"tokens","input_tokens":3,"output_tokens":1}}', JSON))
    sound = b"RIFF\r\n--not-a-boundary\r\n\r\n" + SOUND
    async with sdk_of(here) as client:
        told = await client.audio.transcriptions.create(
            model=here.model, file=("a.wav", sound), timestamp_granularities=["word", "segment"], language="de"
        )
    assert told.text == "Hello"
    seen = here.upstream.seen(here.model)[-1].request
    assert seen.target == f"/{here.model}/v1/audio/transcriptions"
    boundary = seen.header("content-type").partition("boundary=")[2].encode()
    parts = [part.partition(b"\r\n\r\n")[::2] for part in seen.body.split(b"--" + boundary)[1:-1]]
    said = [(head, body.removesuffix(b"\r\n")) for head, body in parts]
    assert [digest(body) for head, body in said if b"filename" in head] == [digest(sound)]
    assert [body for head, body in said if b'name="model"' in head] == [b"up"]
    assert [body for head, body in said if b"granularities" in head] == [b"word", b"segment"]


async def test_a_form_passes_byte_for_byte_but_for_its_model(world):
    here = world(reply(200, b"1\n00:00:00,000 --> 00:00:01,000\nHi\n", {"content-type": "text/plain; charset=utf-8"}))
    form = (
        b'preamble\r\n--b\'x\r\nContent-Disposition: form-data; name="model"\r\n\r\n%s\r\n'
        b'--b\'x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\nContent-Type: audio/wav\r\n\r\n%s\r\n'
        b"--b'x\r\ncontent-disposition: form-data; name=\"response_format\"\r\n\r\nsrt\r\n--b'x--\r\nend"
    )
    typed = "multipart/form-data; boundary=b'x"
    answer = await post(here, "/v1/audio/translations", form % (here.model.encode(), SOUND), typed)
    sent = here.upstream.seen(here.model)[-1].request
    assert (digest(sent.body), sent.header("content-type")) == (digest(form % (b"up", SOUND)), typed)
    assert (answer.status, answer.header("content-type")) == (200, "text/plain; charset=utf-8")
    assert answer.body.endswith(b"Hi\n")


TOLD = (
    b'data: {"type":"transcript.text.delta","delta":"Hel"}\n\n',
    b'data: {"type":"transcript.text.done","text":"Hello","usage":{"type":"tokens","input_tokens":3,'
    b'"output_tokens":1,"total_tokens":4}}\n\n',
)


async def test_a_streamed_transcription_passes_and_ends_with_its_last_event(world):
    here = world(stream(*TOLD, pause=0))
    async with sdk_of(here) as client:
        events = await client.audio.transcriptions.create(model=here.model, file=("a.wav", b"a"), stream=True)
        assert [event.type async for event in events] == ["transcript.text.delta", "transcript.text.done"]


@pytest.mark.parametrize("ending", [Ending.COMPLETE, Ending.CLOSE, Ending.RESET])
async def test_a_stream_without_its_last_event_never_ends_cleanly(world, ending):
    here = world(stream(TOLD[0], pause=0, ending=ending))
    async with sdk_of(here) as client:
        events = await client.audio.transcriptions.create(model=here.model, file=("a.wav", b"a"), stream=True)
        with pytest.raises(openai.APIError, match=r"before (it|the stream) was complete"):
            assert [event.type async for event in events] == ["transcript.text.delta"]


BAD = {
    "an error in a 200": (reply(200, b'{"error":{"message":"no","code":429}}', JSON), 429, "no"),
    "no JSON": (reply(200, b"<html>", JSON), 502, "The upstream's answer is no JSON, though it says so."),
    "HTML": (reply(200, b"<html>", {"content-type": "text/html"}), 502, None),
    "a refusal": (reply(400, b'{"error":{"message":"bad input","type":"t","code":"c"}}', JSON), 400, "bad input"),
    "cut": (Behaviour(headers=(("content-type", "application/json"),), writes=(b'{"a":',), ending=Ending.CLOSE,
        chunked=True), 502, "Connection error."),
    "JSON in an event stream's clothes": (reply(200, b'{"a":1}', {"content-type": "text/event-stream"}), 502, None),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD)
async def test_a_failed_answer_has_a_status_and_the_envelope(world, what):
    behaviour, status, message = BAD[what]
    here = world(behaviour)
    answer = await post(here, "/v1/embeddings", b'{"model":"%s"}' % here.model.encode())
    error = json.loads(answer.body)["error"]
    assert (answer.status, set(error)) == (status, {"message", "type", "param", "code"})
    assert message in (None, error["message"])


async def test_an_embedding_is_tried_again_before_anything_went_out(world):
    here = world(reply(503, b"", JSON), reply(200, EMBEDDING, JSON))
    answer = await post(here, "/v1/embeddings", b'{"model":"%s"}' % here.model.encode())
    assert (answer.status, len(here.upstream.seen(here.model))) == (200, 2)


async def test_a_client_that_leaves_closes_the_upstream(world):
    here = world(faults.stall_before_head())
    exchange = await here.open("/v1/embeddings", {"input": "a"})
    seen = await asyncio.wait_for(here.upstream.wait_for(here.model), HANG)
    await exchange.leave()
    await asyncio.wait_for(seen.closed(), HANG)


async def test_a_provider_without_embeddings_is_named(world):
    here = world(provider="anthropic")
    answer = await here.ask("/v1/embeddings", {"input": "a"})
    said = json.loads(answer.body)["error"]
    assert (answer.status, said["code"]) == (404, "not_served_by_provider")
    assert said["message"] == 'The provider "anthropic" of this model does not answer requests to /v1/embeddings.'
    assert here.upstream.seen(here.model) == []


NOT_SERVED = {
    "no model on an unknown path": ("/v1/anything", b'{"input":"a"}', 404, "unknown_url"),
    "no JSON on an unknown path": ("/v1/anything", b"hello", 404, "unknown_url"),
    "the account upstream": ("/v1/fine_tuning/jobs", b'{"model":"openai-0"}', 404, "unknown_url"),
    "the account upstream, in capitals": ("/v1/Fine_Tuning/jobs", b'{"model":"openai-0"}', 404, "unknown_url"),
    "keys to the upstream": ("/v1/realtime/client_secrets", b'{"model":"openai-0"}', 404, "unknown_url"),
    "a way up": ("/v1/a/../../admin", b'{"model":"openai-0"}', 404, "unknown_url"),
    "a way up, encoded": ("/v1/a/%2e%2e/%2e%2e/admin", b'{"model":"openai-0"}', 404, "unknown_url"),
    "a query, encoded": ("/v1/embeddings%3fa", b'{"model":"openai-0"}', 404, "unknown_url"),
    "Gemini": ("/v1/models/openai-0:streamGenerateContent", b"{}", 404, "unknown_url"),
    "below a surface": ("/v1/chat/completions/x", b'{"model":"openai-0"}', 404, "unknown_url"),
    "no model on a known path": ("/v1/embeddings", b'{"input":"a"}', 400, "invalid_request"),
    "no form": ("/v1/audio/transcriptions", b"hello", 400, "invalid_request"),
}


@pytest.mark.parametrize("what", NOT_SERVED)
async def test_what_is_not_served_is_refused_in_the_envelope(world, what):
    path, body, status, code = NOT_SERVED[what]
    here = world()
    answer = await post(here, path, body)
    assert (answer.status, json.loads(answer.body)["error"]["code"]) == (status, code)
    assert here.upstream.seen(here.model) == []


async def test_a_wrong_method_is_told_the_right_one(world):
    here = world()
    for path, status, allow in (
        ("/v1/embeddings", 405, "POST"),
        ("/v1/audio/speech", 405, "POST"),
        ("/v1/anything", 404, None),
    ):
        answer = await (await here.gateway.client.send("GET", path)).finish()
        assert (answer.status, answer.header("allow")) == (status, allow)


async def test_nobody_is_served_without_a_key(world):
    here = world(reply(200, EMBEDDING, JSON))
    for path in ("/v1/embeddings", "/v1/anything"):
        answer = await (await here.gateway.client.send("POST", path, body=b'{"model":"openai-0"}')).finish()
        assert answer.status == 401


COUNT = b'{"messages":[{"role":"user","content":"Hi"}],"model":"%s","system":"s"}'


async def test_tokens_are_counted_by_the_upstream(world):
    here = world(reply(200, b'{"input_tokens":12}', JSON), provider="anthropic")
    http = httpx2.AsyncClient(trust_env=False)
    async with anthropic.AsyncAnthropic(api_key=here.key, base_url=here.url, max_retries=0, http_client=http) as client:
        told = await client.messages.count_tokens(
            model=here.model, messages=[{"role": "user", "content": "Hi"}], system="s",
            extra_headers={"anthropic-beta": "b-1"},
        )  # fmt: skip
    assert told.input_tokens == 12
    seen = here.upstream.seen(here.model)[-1].request
    assert seen.target == f"/{here.model}/v1/messages/count_tokens"
    assert (seen.header("anthropic-beta"), seen.header("x-api-key")) == ("b-1", None)
    assert here.sent() == {"messages": [{"role": "user", "content": "Hi"}], "model": "up", "system": "s"}


async def test_tokens_nobody_can_count_are_not_guessed(world):
    here = world()
    answer = await post(here, "/v1/messages/count_tokens", COUNT % here.model.encode())
    told = json.loads(answer.body)
    assert (answer.status, told["type"], told["error"]["type"]) == (404, "error", "not_found_error")
    assert told["error"]["message"].startswith('The provider "openai" of this model does not answer')
