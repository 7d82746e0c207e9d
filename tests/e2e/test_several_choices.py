"""Answers of several choices: cut before all of them have ended, one never looks finished, whoever asked for them."""

import json

import pytest
from seeding import seed

from gateway.registry import NewModel
from gateway.testing.running import RunningGateway
from gateway.testing.upstream import Ending, ScriptedUpstream, stream

PATH = "/v1/chat/completions"
ENVIRON = {"GATEWAY_EGRESS__ALLOW": '["127.0.0.1"]'}


def chunk(index: int, finish: str | None = None, **delta: str) -> bytes:
    choice = {"index": index, "delta": delta, "finish_reason": finish}
    head = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return b"data: " + json.dumps({**head, "choices": [choice]}).encode() + b"\n\n"


FIRST = (chunk(0, role="assistant", content=""), chunk(0, content="A"))
SECOND = (chunk(1, role="assistant", content=""), chunk(1, content="half of B"))
CUTS = {
    "in the middle of the second": (*FIRST, *SECOND, chunk(0, "stop")),
    "before the second": (*FIRST, chunk(0, "stop")),
}
ASKED = {"by the client": ({"n": 2}, {}), "by the model": ({}, {"n": 2})}


async def ask(tmp_path, writes, fields, parameters, ending, provider="openai"):
    async with ScriptedUpstream() as upstream:
        base_url = upstream.play("m", stream(*writes, ending=ending, pause=0.01))
        model = NewModel(name="m", base_url=base_url, model_id="m", parameters=parameters, provider=provider)
        keys = await seed(tmp_path, ENVIRON, models=[model], keys={"one": None})
        async with RunningGateway(tmp_path, environ=ENVIRON) as gateway:
            body = {"model": "m", "messages": [{"role": "user", "content": "Hi"}], **fields}
            headers = [("authorization", f"Bearer {keys['one']}")]
            return await gateway.client.request("POST", PATH, headers=headers, body=json.dumps(body).encode())


@pytest.mark.parametrize("streamed", [True, False], ids=["stream", "whole"])
@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("asked", ASKED)
async def test_a_cut_between_choices_is_told(tmp_path, asked, cut, streamed):
    fields, parameters = ASKED[asked]
    answer = await ask(tmp_path, CUTS[cut], {**fields, "stream": streamed}, parameters, Ending.RESET)
    assert b'"error"' in answer.body
    assert answer.status == (200 if streamed else 502)


async def test_a_cut_of_a_choice_that_nobody_asked_for_is_told(tmp_path):
    answer = await ask(tmp_path, CUTS["in the middle of the second"], {"stream": True}, {}, Ending.RESET)
    assert b'"error"' in answer.body


@pytest.mark.parametrize("asked", [*ASKED, "by nobody"])
async def test_all_of_them_are_an_end(tmp_path, asked):
    fields, parameters = ASKED.get(asked, ({}, {}))
    writes = (*FIRST, *SECOND, chunk(0, "stop"), chunk(1, "stop"))
    answer = await ask(tmp_path, writes, {**fields, "stream": True}, parameters, Ending.RESET)
    assert answer.body == b"".join(writes) + b"data: [DONE]\n\n"


async def test_the_clients_number_is_the_one_that_counts(tmp_path):
    answer = await ask(tmp_path, CUTS["before the second"], {"stream": True, "n": 1}, {"n": 2}, Ending.RESET)
    assert answer.body.endswith(b"data: [DONE]\n\n")
    assert b'"error"' not in answer.body
