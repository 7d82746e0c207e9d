"""Whatever upstreams send and clients leave unread, a gateway holds little of it.

`make load` does the same with LOAD_SLOW clients.
"""

import asyncio
import os
import socket
from pathlib import Path
from typing import Any

import msgspec
import pytest
from seeding import seed

from gateway.registry import NewModel
from gateway.testing.running import RunningGateway
from gateway.testing.upstream import Ending, ScriptedUpstream, chat_events, stream

PROBE = Path(__file__).parents[1] / "probe.py"
SLOW = int(os.environ.get("LOAD_SLOW", "10"))
MB = 1 << 20
FLOOD = 24 * MB
"""Bytes that each slow client is offered."""
OF_ONE = 256 * 1024
NOISE = 4 * MB
MODEL = "b0ded000-0000-4000-8000-000000000001"
CONTENT = "x" * 8192
_EVENTS = chat_events(CONTENT)
FLOODING = stream(_EVENTS[0], *[_EVENTS[1] * 8] * (FLOOD // (8 * len(CONTENT))), pause=0.0, ending=Ending.HOLD)
ENDLESS = stream(*_EVENTS[:2], b"data: ", *[b"x" * 65536] * (FLOOD // 65536), pause=0.0, ending=Ending.HOLD)
BOMB = msgspec.structs.replace(
    stream(*[b"\x1f\x8b" + b"\0" * 65534] * (FLOOD // 65536), pause=0.0, ending=Ending.HOLD),
    headers=(("content-type", "text/event-stream"), ("content-encoding", "gzip")),
)


class World:
    def __init__(self, gateway: RunningGateway, upstream: ScriptedUpstream) -> None:
        self.gateway, self.upstream = gateway, upstream

    async def memory(self) -> int:
        return (await self.gateway.client.request("GET", "/probe")).json()["rss"]

    async def sent(self) -> list[int]:
        """How many writes of each answer got rid of, once it is no more."""
        seen = self.upstream.seen("m")
        counts: list[int] = []
        while counts != (counts := [one.writes for one in seen]) or not all(counts):
            await asyncio.sleep(0.5)
        return counts


@pytest.fixture
async def world(tmp_path):
    async with ScriptedUpstream() as upstream:
        environ = {
            "GATEWAY_EGRESS__ALLOW": '["127.0.0.1"]',
            "GATEWAY_PLUGINS__CHATBOT_UI__OPEN_ROUTE": "true",
            "GATEWAY_PLUGIN_FILES": str(PROBE),
            "GATEWAY_PLUGINS__PROBE__RECORDS": str(tmp_path / "records"),
        }
        model = NewModel(id=MODEL, name="m", model_id="m", base_url=f"{upstream.origin}/m/v1")
        await seed(tmp_path / "data", environ, models=[model])
        async with RunningGateway(tmp_path / "data", environ=environ) as gateway:
            upstream.play("m", stream(*chat_events(CONTENT)))
            for _ in range(5):
                assert (await gateway.client.chat(MODEL)).complete
            upstream.seen("m").clear()
            yield World(gateway, upstream)


async def _opened(world: World, clients: int) -> list[Any]:
    """Clients that ask and do not read."""
    world.upstream.seen("m").clear()
    slow = [await world.gateway.client.open_chat(MODEL) for _ in range(clients)]
    for exchange in slow:
        exchange._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    await world.upstream.wait_for("m", clients)
    return slow


async def _left(world: World, slow: list[Any]) -> None:
    await world.sent()
    for exchange in slow:
        await exchange.leave()
    async with asyncio.timeout(60):
        await asyncio.gather(*(one.closed() for one in world.upstream.seen("m")))


async def test_a_client_that_does_not_read_pauses_the_upstream(world, capsys):
    world.upstream.play("m", FLOODING)
    await _left(world, await _opened(world, 3))  # what a first flood makes a process hold once and for all
    before = await world.memory()
    slow = await _opened(world, SLOW)
    writes = await world.sent()
    each = (await world.memory() - before) / SLOW
    with capsys.disabled():
        print(
            f"\n{SLOW} clients that do not read, {FLOOD // MB} MiB offered to each: {each / 1024:.0f} KiB of the "
            f"gateway each; the upstream got rid of {max(writes) * 65536 / MB:.1f} MiB at most (the kernel's)"
        )
    assert max(writes) < len(FLOODING.writes) / 2, "nobody paused the upstream"
    assert each <= OF_ONE + NOISE / SLOW
    await _left(world, slow)
    assert (await world.gateway.client.request("GET", "/health/ready")).status == 200


@pytest.mark.parametrize(("name", "behaviour", "status"), [("endless line", ENDLESS, 200), ("bomb", BOMB, 502)])
async def test_what_is_too_large_is_not_kept(world, name, behaviour, status, capsys):
    world.upstream.play("m", behaviour)
    await world.gateway.client.chat(MODEL)
    before, highest = await world.memory(), 0
    for _ in range(2):
        answer = await world.gateway.client.chat(MODEL)
        assert (answer.status, answer.complete) == (status, status != 200)
        highest = max(highest, await world.memory() - before)
    with capsys.disabled():
        print(f"\n{name}: {highest / MB:+.1f} MiB")
    assert highest <= 4 * MB + NOISE
