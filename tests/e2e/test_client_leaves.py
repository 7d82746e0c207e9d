"""A client that leaves closes the upstream, in every phase, every time, and leaves nothing behind.

`GATEWAY_TEST_LEAVES=200` sets how often each phase is tried. Close times are measured and printed (`pytest -s`), never
asserted: what is asserted is that the upstream's connection ends although the upstream itself would go on for ever, and
that descriptors, tasks and upstream connections are as many as before. `make aborts` leaves 10,002 times.
"""

import asyncio
import os
import statistics
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from seeding import seed

from gateway.registry import NewModel
from gateway.testing import faults
from gateway.testing.client import RawClient, RawExchange
from gateway.testing.running import RunningGateway
from gateway.testing.upstream import ScriptedUpstream, chat_events, reply, stream

TIMES = int(os.environ.get("GATEWAY_TEST_LEAVES", "60"))
PROBE = Path(__file__).parents[1] / "probe.py"
AT_ONCE = 10
HANG = 20
IDS = {
    name: f"00000000-0000-4000-8000-00000000000{number}"
    for number, name in enumerate(("head", "event", "middle", "well", "retry"))
}


@pytest.fixture
async def upstream() -> AsyncIterator[ScriptedUpstream]:
    async with ScriptedUpstream() as server:
        yield server


@pytest.fixture
async def gateway(tmp_path, upstream) -> AsyncIterator[RunningGateway]:
    environ = {
        "GATEWAY_EGRESS__ALLOW": f'["127.0.0.1:{upstream.port}"]',
        "GATEWAY_PLUGINS__CHATBOT_UI__OPEN_ROUTE": "true",
        "GATEWAY_PLUGIN_FILES": str(PROBE),
        "GATEWAY_PLUGINS__PROBE__RECORDS": str(tmp_path / "records"),
    }
    models = [
        NewModel(id=model_id, name=name, model_id="m", base_url=f"{upstream.origin}/{name}/v1")
        for name, model_id in IDS.items()
    ]
    await seed(tmp_path, environ, models=models)
    async with RunningGateway(tmp_path, environ=environ) as running:
        yield running


async def before_the_head(exchange: RawExchange) -> None:
    """Nothing has come yet."""


async def in_the_middle(exchange: RawExchange) -> None:
    """Some text is there."""
    await exchange.head()
    await exchange.chunk()


PHASES = {
    "head": (faults.stall_before_head(), before_the_head),
    "event": (faults.stall_before_first_event(), before_the_head),
    "middle": (faults.stall_midstream("par", "tial"), in_the_middle),
}


@pytest.mark.parametrize("phase", PHASES)
async def test_the_upstream_is_closed_when_the_client_leaves(gateway, upstream, phase, capsys):
    behaviour, until = PHASES[phase]
    upstream.play(phase, behaviour)
    await _settled(gateway, upstream)
    before, tasks = _descriptors(gateway), await _tasks(gateway)
    took: list[float] = []
    for first in range(0, TIMES, AT_ONCE):
        numbers = range(first, min(first + AT_ONCE, TIMES))
        took += await asyncio.gather(*(_leave(gateway.client, upstream, phase, until, n) for n in numbers))
    milliseconds = sorted(1000 * seconds for seconds in took)
    with capsys.disabled():
        _report(phase, milliseconds)
    assert len(upstream.seen(phase)) == TIMES, "a client that left is no reason to try again"
    await _settled(gateway, upstream)
    assert not _descriptors(gateway) - before
    async with asyncio.timeout(HANG):
        while await _tasks(gateway) > tasks:
            await asyncio.sleep(0.05)
    assert "Traceback" not in gateway.log


async def test_a_client_that_leaves_between_two_tries_stops_the_second(gateway, upstream):
    upstream.play("retry", reply(500, headers={"retry-after": "2"}), *([faults.stall_before_head()] * 3))
    exchange = await gateway.client.open_chat(IDS["retry"])
    await upstream.wait_for("retry")
    await asyncio.sleep(0.2)  # the answer is there, and the router waits
    await exchange.leave()
    await asyncio.sleep(2.5)
    assert len(upstream.seen("retry")) == 1


async def test_others_go_on_while_clients_leave(gateway, upstream):
    words = [f"{number} " for number in range(40)]
    upstream.play("well", stream(*chat_events(*words), pause=0.02))
    upstream.play("middle", faults.stall_midstream("par"))

    async def leaver() -> None:
        await _leave(gateway.client, upstream, "middle", in_the_middle, None)

    async with asyncio.timeout(60):
        answers = asyncio.gather(*(gateway.client.chat(IDS["well"]) for _ in range(5)))
        await asyncio.gather(*(leaver() for _ in range(10)))
        for answer in await answers:
            assert (answer.body.decode(), answer.complete) == ("".join(words), True)


async def _leave(
    client: RawClient,
    upstream: ScriptedUpstream,
    name: str,
    until: Callable[[RawExchange], Awaitable[None]],
    number: int | None,
) -> float:
    """Ask, leave, and wait for the upstream's connection to end; how many seconds that took."""
    said = f"{name} {number}" if number is not None else f"{name} {os.urandom(8).hex()}"
    async with asyncio.timeout(HANG):
        exchange = await client.open_chat(IDS[name], said)
        while not (mine := [seen for seen in upstream.seen(name) if said.encode() in seen.request.body]):
            await asyncio.sleep(0.005)
        await until(exchange)
        left = time.monotonic()
        await exchange.leave()
        return await mine[0].closed() - left


def _descriptors(gateway: RunningGateway) -> Counter[str]:
    """What the server has open, by kind and name; not the database, of whose pool one more may be open now and then."""
    found: Counter[str] = Counter()
    for link in Path(f"/proc/{gateway.pid}/fd").iterdir():
        target = os.readlink(link)
        if not target.startswith(str(gateway.data_dir / "gateway.db")):
            found[target.partition(":[")[0]] += 1
    return found


async def _tasks(gateway: RunningGateway) -> int:
    count: int = (await gateway.client.request("GET", "/probe")).json()["tasks"]
    return count


async def _settled(gateway: RunningGateway, upstream: ScriptedUpstream) -> None:
    """Wait until no upstream connection is open and the server's descriptors have come to rest."""
    async with asyncio.timeout(HANG):
        while upstream.open_connections:
            await asyncio.sleep(0.02)
        count, since = gateway.descriptors(), time.monotonic()
        while time.monotonic() - since < 0.5:
            await asyncio.sleep(0.05)
            if (now := gateway.descriptors()) != count:
                count, since = now, time.monotonic()


def _report(phase: str, milliseconds: list[float]) -> None:
    p99 = milliseconds[min(len(milliseconds) - 1, int(0.99 * len(milliseconds)))]
    median = statistics.median(milliseconds)
    print(f"\nclient leaves ({phase}), {len(milliseconds)} times: p50 {median:.1f} ms, p99 {p99:.1f} ms", end="")
