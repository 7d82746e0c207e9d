"""Answers that an upstream keeps: had, listed, cancelled, deleted where they were made, by whom they were told to."""

import asyncio
import json

import openai
import pytest
import pytest_asyncio
from test_responses_continued import ENVIRON, JSON, ask, seeded
from test_v1_responses import ID, PATH, SAID, WHOLE, response

from gateway.testing.running import RunningGateway
from gateway.testing.upstream import Ending, ScriptedUpstream, reply, stream

pytestmark = pytest.mark.asyncio(loop_scope="module")
BEFORE = "resp_before"
FAILED = {**WHOLE, "status": "failed", "error": {"code": "server_error", "message": "No."}}


class Kept:
    """A gateway before a route of two models, and an answer that the second of them made for Ada."""

    def __init__(self, gateway, upstream, keys):
        self.gateway, self.upstream, self.keys = gateway, upstream, keys
        self.name = ""

    async def call(self, do, who="ada"):
        """What the SDK makes of it; a stream is read to its end."""
        url = f"http://127.0.0.1:{self.gateway.port}/v1"
        async with openai.AsyncOpenAI(base_url=url, api_key=self.keys[who], max_retries=0) as client:
            said = await do(client.responses)
            return [event async for event in said] if isinstance(said, openai.AsyncStream) else said

    def plays(self, *behaviours):
        self.upstream.play("b", *behaviours)

    def asked(self):
        """What the model that made the answer was asked last."""
        return self.upstream.seen("b")[-1].request

    async def send(self, method, path, who="ada"):
        headers = [("authorization", f"Bearer {self.keys[who]}")]
        return await (await self.gateway.client.send(method, path, headers=headers)).finish()


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=["direct", "sdk"])
async def kept(request, tmp_path_factory):
    data_dir = tmp_path_factory.mktemp("kept")
    async with ScriptedUpstream() as upstream:
        keys = await seeded(data_dir, upstream)
        environ = {**ENVIRON, "GATEWAY_PLUGINS__OPENAI__LANE": request.param}
        async with RunningGateway(data_dir, environ=environ) as gateway:
            kept = Kept(gateway, upstream, keys)
            upstream.play("a", reply(500, b"{}"))
            kept.plays(reply(200, json.dumps(WHOLE).encode(), JSON))
            kept.name = (await ask(gateway, keys["ada"])).json()["id"]
            assert kept.name.endswith(ID)
            kept.asked_of_a = len(upstream.seen("a"))
            yield kept


async def test_an_answer_is_had_where_it_was_made(kept):
    kept.plays(reply(200, json.dumps({**WHOLE, "previous_response_id": BEFORE}).encode(), JSON))
    answer = await kept.call(lambda r: r.retrieve(kept.name, include=["message.output_text.logprobs"]))
    assert answer.id == kept.name
    assert answer.output_text == "Hello"
    request = kept.asked()
    assert request.method == "GET"
    assert request.body == b""
    assert request.target.endswith(f"/responses/{ID}?include%5B%5D=message.output_text.logprobs")
    assert answer.previous_response_id.endswith(f".{BEFORE}")
    assert len(kept.upstream.seen("a")) == kept.asked_of_a

    kept.plays(reply(200, json.dumps({**WHOLE, "id": BEFORE}).encode(), JSON))
    assert (await kept.call(lambda r: r.retrieve(answer.previous_response_id))).id == answer.previous_response_id


async def test_the_bytes_of_an_answer_pass_but_for_its_ids(kept):
    body = json.dumps({**FAILED, "metadata": {"a": '"id": "' + ID + '"'}}, indent=1).encode()
    kept.plays(reply(200, body, JSON))
    answer = await kept.send("GET", f"{PATH}/{kept.name}?key=secret")
    assert answer.status == 200
    own, told = (b'"id": "%s",\n "object"' % id.encode() for id in (ID, kept.name))
    assert own in body
    assert answer.body == body.replace(own, told)
    assert "secret" not in kept.asked().target


async def test_an_answer_is_streamed_from_its_beginning(kept):
    kept.plays(stream(*SAID, pause=0))
    events = await kept.call(lambda r: r.retrieve(kept.name, stream=True, starting_after=3))
    assert [e.type for e in events] == [json.loads(said.split(b"data: ")[1])["type"] for said in SAID]
    assert {e.response.id for e in events if hasattr(e, "response")} == {kept.name}
    assert kept.asked().target.endswith(f"/responses/{ID}?starting_after=3&stream=true")


async def test_a_stream_that_is_cut_does_not_end_well(kept):
    kept.plays(stream(*SAID[:3], pause=0, ending=Ending.COMPLETE))
    with pytest.raises(openai.APIError):
        await kept.call(lambda r: r.retrieve(kept.name, stream=True))


async def test_an_answer_is_cancelled_and_deleted(kept):
    kept.plays(reply(200, json.dumps(response("cancelled")).encode(), JSON))
    answer = await kept.call(lambda r: r.cancel(kept.name))
    assert (answer.id, answer.status) == (kept.name, "cancelled")
    assert (kept.asked().method, kept.asked().body) == ("POST", b"")
    assert kept.asked().target.endswith(f"/responses/{ID}/cancel")

    gone = {"id": ID, "object": "response", "deleted": True}
    kept.plays(reply(200, json.dumps(gone).encode(), JSON))
    assert await kept.call(lambda r: r.delete(kept.name)) is None
    assert kept.asked().method == "DELETE"
    assert (await kept.send("DELETE", f"{PATH}/{kept.name}")).json() == {**gone, "id": kept.name}


async def test_the_input_of_an_answer_is_listed(kept):
    item = {"type": "message", "id": "msg_0", "role": "user", "status": "completed", "content": []}
    said = {"object": "list", "data": [item], "first_id": "msg_0", "last_id": "msg_0", "has_more": False}
    kept.plays(reply(200, json.dumps(said).encode(), JSON))
    page = await kept.call(lambda r: r.input_items.list(kept.name, limit=5, order="asc"))
    assert [one.id for one in page.data] == ["msg_0"]
    assert kept.asked().target.endswith(f"/responses/{ID}/input_items?limit=5&order=asc")


async def test_an_answer_of_somebody_else_is_not_found(kept):
    seen = len(kept.upstream.seen("b"))
    for who, name in (("bob", kept.name), ("ada", ID), ("ada", kept.name + "x"), ("ada", "resp_..")):
        with pytest.raises(openai.NotFoundError) as refused:
            await kept.call(lambda r, name=name: r.retrieve(name), who)
        assert refused.value.body["message"] == f"Response with id '{name}' not found."
        assert refused.value.type == "invalid_request_error"
    for method, rest in (("DELETE", ""), ("GET", "/input_items"), ("POST", "/cancel")):
        assert (await kept.send(method, f"{PATH}/{kept.name}{rest}", "bob")).status == 404
    assert len(kept.upstream.seen("b")) == seen
    async with asyncio.timeout(30):
        while not (told := [line for line in kept.gateway.log.splitlines() if "response_not_found" in line]):
            await asyncio.sleep(0.05)
    assert {line.split()[1] for line in told} == {"info"}, "it is the client's mistake, and nobody's to mend"


async def test_what_the_upstream_no_longer_has_is_not_found(kept):
    error = {"message": f"Response with id '{ID}' not found.", "type": "invalid_request_error", "param": None}
    kept.plays(reply(404, json.dumps({"error": {**error, "code": None}}).encode(), JSON))
    with pytest.raises(openai.NotFoundError):
        await kept.call(lambda r: r.retrieve(kept.name))


async def test_other_methods_and_paths_are_refused_in_openais_words(kept):
    answer = await kept.send("PUT", f"{PATH}/{kept.name}")
    assert (answer.status, dict(answer.headers)["allow"]) == (405, "DELETE, GET, OPTIONS")
    assert answer.json()["error"]["code"] == "method_not_allowed"
    assert (await kept.send("GET", f"{PATH}/{kept.name}/cancel")).status == 405
    assert (await kept.send("GET", f"{PATH}/{kept.name}/other")).status == 404
    kept.keys["nobody"] = "gw-wrong"
    assert (await kept.send("GET", f"{PATH}/{kept.name}", "nobody")).status == 401


CHANGING = """
from gateway import hookimpl


class Changing:
    def start(self, exchange):
        return lambda events: events


@hookimpl
def register_stream_transforms():
    return [Changing()]
"""


async def test_what_a_stream_transform_changes_can_only_be_deleted(tmp_path):
    data_dir = tmp_path / "data"
    (tmp_path / "changing.py").write_text(CHANGING)
    async with ScriptedUpstream() as upstream:
        keys = await seeded(data_dir, upstream)
        for model in "ab":
            upstream.play(model, reply(200, json.dumps(WHOLE).encode(), JSON))
        arguments = ("--plugin", str(tmp_path / "changing.py"))
        async with RunningGateway(data_dir, environ=ENVIRON, arguments=arguments) as gateway:
            kept = Kept(gateway, upstream, keys)
            kept.name = (await ask(gateway, keys["ada"])).json()["id"]
            made = len(upstream.seen("a"))
            for method, rest in (("GET", ""), ("GET", "/input_items"), ("POST", "/cancel")):
                answer = await kept.send(method, f"{PATH}/{kept.name}{rest}")
                assert (answer.status, answer.json()["error"]["code"]) == (404, "not_served_by_provider")
            assert len(upstream.seen("a")) == made
            assert (await kept.send("DELETE", f"{PATH}/{kept.name}")).status == 200
            assert upstream.seen("a")[-1].request.method == "DELETE"
