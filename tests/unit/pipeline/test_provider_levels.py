"""The three levels of providers, over real sockets."""

import json

import msgspec

from gateway import ChatProvider, DialectProvider, EventProvider, Quirks
from gateway.events import End, Finish, Reasoning, Text, Usage
from gateway.testing import faults
from gateway.testing.upstream import Behaviour, chat_events, reply, stream
from gateway.wire.chat import CHAT


def ok(*texts: str):
    return stream(*chat_events(*texts), pause=0)


class Acme(ChatProvider):
    """Data, no code."""

    name = "acme"
    quirks = Quirks(omit=frozenset({"stream"}), rename={"messages": "prompts"})


async def test_a_compatible_provider_is_data_alone(open_house):
    async with open_house(providers=[Acme()]) as house:
        house.model("m", ok("a", "b"), provider="acme")
        response = await house.ask("m")
        assert (response.body, response.complete) == (b"ab", True)
        (seen,) = house.upstream.seen("m")
        assert seen.request.target == "/m/v1/chat/completions"
        assert seen.request.json() == {"model": "m-id", "prompts": []}


async def test_a_models_own_quirks_come_on_top(open_house):
    async with open_house(providers=[Acme()]) as house:
        house.model("m", ok("a"), provider="acme", quirks=Quirks(rename={"messages": "inputs"}))
        await house.ask("m")
        assert house.upstream.seen("m")[0].request.json() == {"model": "m-id", "inputs": []}


class Elsewhere(DialectProvider):
    name = "elsewhere"
    dialect = CHAT
    path = "/talk"

    def headers(self, model):
        return (("content-type", "application/json"), ("x-token", model.api_key.reveal()))


async def test_a_dialect_says_where_and_with_what(open_house):
    async with open_house(providers=[Elsewhere()]) as house:
        house.model("m", ok("a"), provider="elsewhere", headers={"x-team": "blue"})
        assert (await house.ask("m")).body == b"a"
        (seen,) = house.upstream.seen("m")
        assert seen.request.target == "/m/v1/talk"
        assert (seen.request.header("x-team"), seen.request.header("authorization")) == ("blue", None)


async def test_an_error_answer_is_the_upstreams_own_and_tried_again_where_that_may_help(open_house):
    async with open_house(providers=[Acme()]) as house:
        house.model("bad", reply(422, b"no"), provider="acme")
        house.model("busy", reply(503, b"busy"), ok("fine"), provider="acme")
        assert (await house.ask("bad")).status == 422
        assert len(house.upstream.seen("bad")) == 1
        assert (await house.ask("busy")).body == b"fine"


class Ollama(EventProvider):
    """One async generator of events."""

    name = "ollama"

    async def stream(self, request, attempt):
        async with attempt.post("/api/chat", json={"model": attempt.model.model_id}) as response:
            async for line in response.lines():
                value = json.loads(line)
                if thinking := value.get("thinking"):
                    yield Reasoning(thinking)
                if content := value.get("content"):
                    yield Text(content)
                if value.get("done"):
                    yield Usage(3, 4)
                    yield Finish("stop")
                    yield End()


def lines(*values: dict, ends: bool = True) -> Behaviour:
    body = b"".join(msgspec.json.encode(value) + b"\n" for value in values)
    writes = tuple(body[at : at + 7] for at in range(0, len(body), 7))
    return Behaviour(headers=(("content-type", "application/x-ndjson"),), writes=writes, chunked=True, pause=0)


async def test_any_api_is_one_generator_of_events(open_house):
    async with open_house(providers=[Ollama()]) as house:
        house.model(
            "m", lines({"thinking": "hm"}, {"content": "é"}, {"content": "!"}, {"done": True}), provider="ollama"
        )
        response = await house.ask("m")
        assert (response.body.decode(), response.complete) == ("é!", True)
        assert house.upstream.seen("m")[0].request.target == "/m/v1/api/chat"
        (record,) = await house.settled()
        assert (record.input_tokens, record.output_tokens, record.provenance) == (3, 4, "reported")


async def test_a_generator_that_just_ends_is_a_cut_stream(open_house):
    async with open_house(providers=[Ollama()]) as house:
        house.model("m", lines({"content": "a"}), provider="ollama")
        response = await house.ask("m")
        assert (response.body, response.complete) == (b"a", False)


async def test_what_cuts_the_body_cuts_the_answer(open_house):
    async with open_house(providers=[Ollama()]) as house:
        cut = faults.close_mid_chunk()
        house.model("m", msgspec.structs.replace(cut, writes=(b'{"content":"a"}\n',)), provider="ollama")
        response = await house.ask("m")
        assert (response.body, response.complete) == (b"a", False)


async def test_an_error_answer_ends_the_generator_and_is_tried_again(open_house):
    async with open_house(providers=[Ollama()]) as house:
        house.model("m", reply(500, b"oops"), lines({"content": "a"}, {"done": True}), provider="ollama")
        assert (await house.ask("m")).body == b"a"
        assert len(house.upstream.seen("m")) == 2


async def test_a_client_that_leaves_closes_the_generators_upstream(open_house):
    async with open_house(providers=[Ollama()]) as house:
        stalled = msgspec.structs.replace(faults.stall_midstream(), writes=(b'{"content":"a"}\n',))
        house.model("m", stalled, provider="ollama")
        exchange = await house.begin("m")
        await exchange.head()
        await exchange.leave()
        await house.upstream.seen("m")[0].closed()
