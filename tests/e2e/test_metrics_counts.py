"""What Prometheus reads is exactly what happened, over several workers, also when one is killed."""

import asyncio
import os
import signal
import socket
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from control_plane import Admin
from prometheus_client.parser import text_string_to_metric_families
from seeding import seed

from gateway.registry import NewModel
from gateway.testing import faults
from gateway.testing.client import RawClient
from gateway.testing.running import RunningGateway
from gateway.testing.upstream import ScriptedUpstream, chat_events, reply, stream
from gateway_metrics.catalog import METRICS

HANG = 90
GOOD, BAD, STALL, SILENT, UNKNOWN = (f"7d9f0c52-6a51-4c1b-9a44-2f0f5c9f3b1{number}" for number in range(5))
USAGE = (
    b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[],"usage":{"prompt_tokens":9,'
    b'"completion_tokens":5,"total_tokens":14,"prompt_tokens_details":{"cached_tokens":4},'
    b'"completion_tokens_details":{"reasoning_tokens":2}}}\n\n'
)
ANSWER = stream(*chat_events("a", "b", "c")[:-1], USAGE, b"data: [DONE]\n\n", pause=0)
Samples = Mapping[tuple[str, frozenset[tuple[str, str]]], float]


class World:
    """A gateway of two workers that measures, and what its clients saw."""

    def __init__(self, gateway: RunningGateway, upstream: ScriptedUpstream, key: str, port: int) -> None:
        self.gateway = gateway
        self.upstream = upstream
        self.admin = Admin(gateway)
        self.seen: Counter[tuple[str, str]] = Counter()
        self._key = key
        self._port = RawClient("127.0.0.1", port)

    async def ask(self, model: str, outcome: str, *, key: str | None = None) -> None:
        """Ask and note how it ended for the client."""
        exchange = await self.gateway.client.open_chat(model, key=key or self._key)
        answer = await asyncio.wait_for(exchange.finish(), HANG)
        self.seen[outcome, str(answer.status)] += 1

    async def hang_up(self, name: str, model: str, *, after_head: bool) -> None:
        """Ask, and leave while the answer is under way."""
        before = len(self.upstream.seen(name))
        exchange = await self.gateway.client.open_chat(model, key=self._key)
        seen = await asyncio.wait_for(self.upstream.wait_for(name, before + 1), HANG)
        if after_head:
            await asyncio.wait_for(exchange.head(), HANG)
        await exchange.leave()
        await asyncio.wait_for(seen.closed(), HANG)
        self.seen["client_abort", "200" if after_head else "none"] += 1

    async def scrape(self) -> Samples:
        """The samples of the port that anybody on this machine may ask; whichever worker answers."""
        answer = await self._port.request("GET", "/metrics", headers=[("accept", "text/plain")])
        assert answer.status == 200
        return parsed(answer.body)

    async def until(self, name: str, value: float, **labels: str) -> Samples:
        """Scrape until that sample is so."""
        async with asyncio.timeout(HANG):
            while (samples := await self.scrape()).get(sample(name, **labels)) != value:
                await asyncio.sleep(0.1)
        return samples

    async def counted(self) -> Samples:
        """Scrape until as many requests are counted as were seen."""
        async with asyncio.timeout(HANG):
            while sum(requests(samples := await self.scrape()).values()) < self.seen.total():
                await asyncio.sleep(0.1)
        return samples


def sample(name: str, **labels: str) -> tuple[str, frozenset[tuple[str, str]]]:
    return name, frozenset(labels.items())


def parsed(text: bytes) -> Samples:
    families = list(text_string_to_metric_families(text.decode()))
    assert {family.name for family in families} == {metric.name.removesuffix("_total") for metric in METRICS}
    found: dict[Any, float] = {}
    for family in families:
        assert family.documentation
        for one in family.samples:
            assert one.name.startswith(family.name)
            key = one.name, frozenset(one.labels.items())
            assert key not in found
            found[key] = one.value
    return found


def requests(samples: Samples) -> Counter[tuple[str, str]]:
    """How many, by outcome and status."""
    found: Counter[tuple[str, str]] = Counter()
    for (name, labels), value in samples.items():
        if name == "gateway_requests_total":
            by = dict(labels)
            assert by["surface"] == "chatbot-ui"
            found[by["outcome"], by["status"]] += int(value)
    return found


def of_model(samples: Samples, name: str) -> dict[tuple[str, ...], float]:
    """The samples of that name that are not zero, by their labels' values in the labels' order."""
    found = {labels: number for (one, labels), number in samples.items() if one == name and number}
    return {tuple(value for _, value in sorted(labels)): number for labels, number in found.items()}


@pytest.fixture
def port() -> Iterator[int]:
    """A port that nobody else can take: bound and shared, but not listened to."""
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@pytest.fixture
async def world(tmp_path: Path, port: int) -> AsyncIterator[World]:
    scripts = {
        GOOD: ("good", ANSWER),
        BAD: ("bad", reply(400, b'{"error":{"message":"no"}}')),
        STALL: ("stall", faults.stall_midstream("a")),
        SILENT: ("silent", faults.stall_before_head()),
    }
    environ = {"GATEWAY_EGRESS__ALLOW": '["127.0.0.1"]', "GATEWAY_PLUGINS__METRICS__PORT": str(port)}
    people: dict[str, str | None] = {"one": None, "boss": None}
    async with ScriptedUpstream() as upstream:
        models = [
            NewModel(id=id, name=name, base_url=upstream.play(name, behaviour), model_id="m")
            for id, (name, behaviour) in scripts.items()
        ]
        keys = await seed(tmp_path / "data", environ, models=models, keys=people, admins=["boss"])
        arguments = ("--workers", "2")
        async with RunningGateway(tmp_path / "data", environ=environ, arguments=arguments) as gateway:
            world = World(gateway, upstream, keys["one"], port)
            await world.until("gateway_workers", 2)
            yield world


async def happenings(world: World) -> None:
    await asyncio.gather(
        *(world.ask(GOOD, "ok") for _ in range(12)),
        *(world.ask(BAD, "upstream_error") for _ in range(5)),
        *(world.ask(UNKNOWN, "rejected") for _ in range(4)),
        *(world.ask(GOOD, "rejected", key="sk-nobody") for _ in range(3)),
        *(world.ask("no id at all", "rejected") for _ in range(2)),
    )
    for _ in range(3):
        await world.hang_up("stall", STALL, after_head=True)
    await world.hang_up("silent", SILENT, after_head=False)


async def test_counts_are_exact_over_two_workers_and_never_fall(world: World) -> None:
    working = asyncio.create_task(happenings(world))
    last = 0
    while not working.done():
        now = requests(await world.scrape()).total()
        assert now >= last
        last = now
        await asyncio.sleep(0.05)
    await working
    samples = await world.counted()
    assert requests(samples) == world.seen
    assert of_model(samples, "gateway_attempts_total") == {
        ("none", "good", "ok", "openai"): 12,
        ("upstream_error", "bad", "upstream_error", "openai"): 5,
        ("none", "stall", "client_abort", "openai"): 3,
        ("none", "silent", "client_abort", "openai"): 1,
    }
    tokens = of_model(samples, "gateway_tokens_total")
    reported = {key[-1]: value for key, value in tokens.items() if key[:2] == ("good", "reported")}
    assert reported == {"input": 108, "output": 60, "cache_read": 48, "reasoning": 24}
    assert tokens["stall", "estimated", "openai", "output"] == 3
    first = of_model(samples, "gateway_first_token_seconds_count")
    assert first == {("good", "openai"): 12, ("stall", "openai"): 3}
    assert of_model(samples, "gateway_inter_token_seconds_count") == {("good", "openai"): 12}
    assert samples[sample("gateway_plugin_seconds_count", plugin="keys", stage="authenticators")] >= 28
    assert samples[sample("gateway_generation")] == 1
    assert samples[sample("gateway_metrics_unrecorded_total")] == 0


async def test_a_killed_workers_counts_stay_and_its_successor_counts_on(world: World) -> None:
    await asyncio.gather(*(world.ask(GOOD, "ok") for _ in range(10)))
    await world.counted()
    waiting = await world.gateway.client.open_chat(SILENT, key=world._key)
    await asyncio.wait_for(world.upstream.wait_for("silent"), HANG)
    await world.until("gateway_in_flight", 1)
    victim = (await world.admin.get("/generations"))["workers"][0]["pid"]
    os.kill(victim, signal.SIGKILL)
    await waiting.leave()
    async with asyncio.timeout(HANG):
        while "worker_died" not in world.gateway.log:
            await asyncio.sleep(0.1)
    after = await world.until("gateway_workers", 2)
    assert requests(after)["ok", "200"] == 10
    await asyncio.gather(*(world.ask(GOOD, "ok") for _ in range(10)))
    async with asyncio.timeout(HANG):
        while requests(await world.scrape())["ok", "200"] != 20:
            await asyncio.sleep(0.1)
    assert await world.gateway.stop() == 0
    left = world.gateway.data_dir / "metrics"
    assert [file.name for file in left.iterdir()] == ["lock"]
