"""A key that is detached: its clients leave, and what they asked for is completed and accounted for in full."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from seeding import seed

from gateway.registry import Database, NewModel
from gateway.registry.tables import usage
from gateway.settings import load_settings
from gateway.terms import Limits
from gateway.testing.client import RawExchange
from gateway.testing.loopback import Connection
from gateway.testing.running import RunningGateway
from gateway.testing.upstream import Behaviour, Ending, ScriptedUpstream, Seen, chat_events, reply, stream

HANG = 60
MODELS = 40
DONE = (
    b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[],"usage":{"prompt_tokens":9,'
    b'"completion_tokens":5,"total_tokens":14}}\n\n',
    b"data: [DONE]\n\n",
)
EVENTS = (*chat_events("a", "b")[:-1], *DONE)
WHOLE = (
    b'{"id":"c","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"finish_reason":"stop",',
    b'"message":{"role":"assistant","content":"ab"}}],',
    b'"usage":{"prompt_tokens":9,"completion_tokens":5,"total_tokens":14}}',
)
HI = [{"role": "user", "content": "Hi"}]
SURFACES = {
    "custom": ("/api/chat/custom", None),
    "chat": ("/v1/chat/completions", {"messages": HI, "stream": True}),
    "chat whole": ("/v1/chat/completions", {"messages": HI}),
    "messages": ("/v1/messages", {"messages": HI, "max_tokens": 9, "stream": True}),
    "messages whole": ("/v1/messages", {"messages": HI, "max_tokens": 9}),
    "responses": ("/v1/responses", {"input": "Hi", "stream": True}),
    "responses whole": ("/v1/responses", {"input": "Hi"}),
}
PHASES = {"head": 0, "event": 1, "middle": 2}
"""How often the upstream may go on before the client leaves: its head and its role, then its words, one by one."""

pytestmark = pytest.mark.asyncio(loop_scope="module")


class PatientUpstream(ScriptedUpstream):
    """Waits for `go_on` before its head, too; answers in one piece who asks for that."""

    def choose(self, name: str, seen: Seen) -> Behaviour | None:
        whole = not seen.request.json().get("stream")
        if name.startswith("gated") and whole:
            kind = (("content-type", "application/json"),)
            return Behaviour(headers=kind, writes=WHOLE, gated=True)
        return super().choose(name, seen)

    async def _play(self, behaviour: Behaviour, seen: Seen, connection: Connection) -> None:
        if behaviour.gated:
            await seen.permitted()
        await super()._play(behaviour, seen, connection)


GATED = Behaviour(headers=stream().headers, writes=EVENTS, chunked=True, gated=True)


class World:
    def __init__(
        self, gateway: RunningGateway, upstream: PatientUpstream, keys: dict[str, str], ids: dict[str, str]
    ) -> None:
        self.gateway, self.upstream, self.keys = gateway, upstream, keys
        self.ids = ids
        self.models = iter(name for name in ids if name.startswith("gated"))

    async def open(self, key: str, model: str, surface: str = "chat") -> RawExchange:
        path, fields = SURFACES[surface]
        if fields is None:
            return await self.gateway.client.open_chat(self.ids[model], key=self.keys[key])
        headers = [("authorization", f"Bearer {self.keys[key]}")]
        body = json.dumps({**fields, "model": model}).encode()
        return await self.gateway.client.send("POST", path, headers=headers, body=body)

    async def row(self, model: str) -> Any:
        """The one usage row of that model."""
        (row,) = await rows(self.gateway.data_dir, model)
        return row


@asynccontextmanager
async def opened(data_dir: Path) -> AsyncIterator[World]:
    """A gateway with keys that are detached and one that is not."""
    gated = [f"gated-{number}" for number in range(MODELS)]
    plays = {
        **dict.fromkeys(gated, (GATED,)),
        "broken": (msgspec.structs.replace(GATED, writes=EVENTS[:3], ending=Ending.RESET),),
        "free": (stream(*EVENTS, pause=0),),
        "retried": (msgspec.structs.replace(reply(500), gated=True), stream(*EVENTS, pause=0)),
    }
    ids = {name: f"00000000-0000-4000-8000-{number:012}" for number, name in enumerate(plays)}
    environ = {"GATEWAY_EGRESS__ALLOW": '["127.0.0.1"]'}
    async with PatientUpstream() as upstream:
        keys = await seed(
            data_dir,
            environ,
            models=[
                NewModel(id=ids[name], name=name, model_id="m", base_url=upstream.play(name, *behaviours))
                for name, behaviours in plays.items()
            ],
            keys=dict.fromkeys(("plain", "detached", "single")),
            detached=("detached", "single"),
            limits={"single": Limits(concurrent=1)},
        )
        async with RunningGateway(data_dir, environ=environ) as gateway:
            yield World(gateway, upstream, keys, ids)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory):
    async with opened(tmp_path_factory.mktemp("detach") / "data") as world:
        yield world


async def rows(data_dir: Path, model: str, count: int = 1) -> list[Any]:
    """The usage rows of that model, once there are so many."""
    database = await Database.open(load_settings(None, {"GATEWAY_DATA_DIR": str(data_dir)}))
    try:
        async with asyncio.timeout(HANG):
            while True:
                async with database.read() as connection:
                    query = usage.select().where(usage.c.model_name == model).order_by(usage.c.number)
                    found = list((await connection.execute(query)).all())
                if len(found) >= count:
                    return found
                await asyncio.sleep(0.05)
    finally:
        await database.aclose()


async def gone(exchange: RawExchange) -> bytes:
    """Leave, and return once the server has noticed; what it had written until then."""
    exchange.half_close()
    answer = await asyncio.wait_for(exchange.read(), HANG)
    assert not answer.complete
    await exchange.leave()
    return answer.body


async def until(seen: Seen, phase: str, exchange: RawExchange, surface: str) -> None:
    """Let the upstream go on as far as the phase says; a client of a stream has its first words then."""
    for _ in range(PHASES[phase]):
        seen.go_on()
    if phase == "middle" and "whole" not in surface:
        await asyncio.wait_for(exchange.head(), HANG)
        await asyncio.wait_for(exchange.chunk(), HANG)


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("surface", SURFACES)
async def test_the_answer_is_completed_and_reported_although_the_client_left(world, surface, phase):
    model = next(world.models)
    exchange = await world.open("detached", model, surface)
    seen = await asyncio.wait_for(world.upstream.wait_for(model), HANG)
    await until(seen, phase, exchange, surface)
    await gone(exchange)
    for _ in range(len(EVENTS) + 1):
        seen.go_on()
    row = await world.row(model)
    assert seen.left_after_writes is None, "the upstream must not be closed before its end"
    assert (row.outcome, row.provenance, row.input_tokens, row.output_tokens) == ("client_abort", "reported", 9, 5)
    assert (row.finish_reason, row.error_code) == ("stop", None)
    assert "Traceback" not in world.gateway.log


@pytest.mark.parametrize("phase", PHASES)
async def test_without_it_the_upstream_is_closed(world, phase):
    model = next(world.models)
    exchange = await world.open("plain", model)
    seen = await asyncio.wait_for(world.upstream.wait_for(model), HANG)
    await until(seen, phase, exchange, "chat")
    await gone(exchange)
    await asyncio.wait_for(seen.closed(), HANG)
    row = await world.row(model)
    assert (row.outcome, row.finish_reason) == ("client_abort", None)
    assert row.provenance in ("estimated", "none")


async def test_an_upstream_that_breaks_after_the_client_left_is_what_the_row_tells(world):
    exchange = await world.open("detached", "broken")
    seen = await asyncio.wait_for(world.upstream.wait_for("broken"), HANG)
    await until(seen, "middle", exchange, "chat")
    await gone(exchange)
    seen.go_on()
    seen.go_on()
    row = await world.row("broken")
    assert (row.outcome, row.error_code, row.provenance) == ("truncated", "upstream_disconnected", "estimated")


async def test_a_failed_attempt_is_repeated_although_the_client_left(world):
    exchange = await world.open("detached", "retried")
    seen = await asyncio.wait_for(world.upstream.wait_for("retried"), HANG)
    await gone(exchange)
    seen.go_on()
    first, second = await rows(world.gateway.data_dir, "retried", 2)
    assert (first.outcome, second.outcome, second.provenance) == ("upstream_error", "client_abort", "reported")


async def test_its_place_is_held_until_the_answer_has_ended(world):
    model = next(world.models)
    exchange = await world.open("single", model)
    seen = await asyncio.wait_for(world.upstream.wait_for(model), HANG)
    await gone(exchange)
    assert (await (await world.open("single", "free")).finish()).status == 429
    for _ in range(len(EVENTS) + 1):
        seen.go_on()
    assert (await world.row(model)).provenance == "reported"
    async with asyncio.timeout(HANG):
        while (await (await world.open("single", "free")).finish()).status == 429:
            await asyncio.sleep(0.05)


async def test_a_drain_waits_for_what_goes_on_without_its_client(tmp_path):
    async with opened(tmp_path) as world:
        exchange = await world.open("detached", "gated-0")
        seen = await asyncio.wait_for(world.upstream.wait_for("gated-0"), HANG)
        await until(seen, "middle", exchange, "chat")
        await gone(exchange)
        world.gateway.send(signal.SIGTERM)
        async with asyncio.timeout(HANG):
            while (await world.gateway.client.request("GET", "/health/ready")).status != 503:
                await asyncio.sleep(0.05)
        assert seen.closed_at is None
        for _ in range(len(EVENTS)):
            seen.go_on()
        assert await world.gateway.stop() == 0
        (row,) = await rows(tmp_path, "gated-0")
        assert (row.outcome, row.provenance, row.output_tokens) == ("client_abort", "reported", 5)
        assert list((tmp_path / "usage").iterdir()) == []
