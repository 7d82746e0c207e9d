"""SIGTERM under live streams: all of them end as they should, and nothing is lost.

`make drain` stops a server 100 times with 100 streams each and writes the counts into docs/reliability.md.
"""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
from restart_account import account, read_rows
from restart_load import Told, told
from restart_report import Report
from restart_upstream import MARK, Teller
from seeding import seed

from gateway.registry import NewModel
from gateway.testing.client import RawExchange
from gateway.testing.running import RunningGateway

STOPS = int(os.environ.get("DRAIN_STOPS", "2"))
STREAMS = int(os.environ.get("DRAIN_STREAMS", "20"))
WAITING = 5
"""Requests beside the streams that wait for their first content."""
HANG = 100
SHOWN_EVERY = 10
TALE = "d4a10000-0000-4000-8000-000000000001"


@pytest.fixture(scope="module")
def report() -> Iterator[Report]:
    """Shown at the end."""
    head = ("SIGTERMs", "streams and waiting requests", "whole", "broken", "rows ok", "wrong", "exit codes")
    shown = Report("drains", head)
    yield shown
    shown.show(os.environ.get("DRAIN_REPORT"))


def planted(folder: Path) -> Path:
    """The plugin that marks requests, in a file."""
    folder.mkdir(exist_ok=True)
    plugin = folder / "mark.py"
    plugin.write_text(MARK)
    return plugin


async def prepared(data_dir: Path, teller: Teller) -> tuple[dict[str, str], str, tuple[str, ...]]:
    """Settings, a key and arguments of a gateway before this upstream, whose answers are held."""
    plugin = planted(data_dir.parent)
    teller.held = True
    environ = {"GATEWAY_EGRESS__ALLOW": '["127.0.0.1"]', "MARK_PORT": str(teller.port)}
    models = [
        NewModel(id=TALE, name="tale", base_url=f"{teller.origin}/tale/v1", model_id="m", sharing="public"),
        NewModel(name="silent", base_url=f"{teller.origin}/silent/v1", model_id="m"),
    ]
    key = (await seed(data_dir, environ, models=models, keys={"one": None}))["one"]
    return environ, key, ("--plugin", str(plugin))


async def ask(gateway: RunningGateway, key: str, model: str) -> RawExchange:
    body = b'{"model":"%s","stream":true,"messages":[{"role":"user","content":"hi"}]}' % model.encode()
    headers = [("authorization", f"Bearer {key}")]
    return await gateway.client.send("POST", "/v1/chat/completions", headers=headers, body=body)


async def live(gateway: RunningGateway, teller: Teller, key: str, streams: int) -> Sequence[RawExchange]:
    """So many streams that have begun, and requests that wait for their first content."""
    before = len(teller.asked)
    running = [await ask(gateway, key, "tale") for _ in range(streams)]
    for one in running:
        assert (await one.head()).status == 200
    waiting = [await ask(gateway, key, "silent") for _ in range(WAITING)]
    async with asyncio.timeout(HANG):
        while len(teller.asked) < before + streams + WAITING:
            await asyncio.sleep(0.02)
    return [*running, *waiting]


async def until_draining(gateway: RunningGateway) -> None:
    async with asyncio.timeout(HANG):
        while (answer := await gateway.client.request("GET", "/health/ready")).status == 200:
            await asyncio.sleep(0.01)
    assert (answer.status, answer.body) == (503, b"draining")


async def stopped_under(gateway: RunningGateway, teller: Teller, key: str) -> tuple[list[Told], int]:
    """Stop it under live streams; what their clients were told, and the exit code."""
    asking = await live(gateway, teller, key, STREAMS)
    gateway.send(signal.SIGTERM)
    await until_draining(gateway)
    refused = await (await ask(gateway, key, "tale")).finish()
    assert (refused.status, refused.header("retry-after")) == (503, "1")
    teller.go_on()
    answers = [told(await one.finish()) for one in asking]
    return answers, await gateway.stop()


class Stop(NamedTuple):
    """What became of one stop."""

    whole: int
    broken: int
    ok: int
    code: int
    wrong: Sequence[str]


async def stop_once(folder: Path) -> Stop:
    """Start a server, stop it under live streams, and judge."""
    async with Teller() as teller:
        environ, key, arguments = await prepared(folder / "data", teller)
        async with RunningGateway(folder / "data", environ=environ, arguments=arguments) as gateway:
            answers, code = await stopped_under(gateway, teller, key)
            log = gateway.log
    judged = account(teller.asked, answers, {}, await read_rows(folder / "data", environ), 0.0)
    wrong = [*judged.wrong, *(f"{file.name} is left in usage/" for file in (folder / "data" / "usage").iterdir())]
    if "Traceback" in log:
        wrong.append(log[log.index("Traceback") :][:2000])
    whole = sum(answer.whole for answer in answers)
    wrong += (answer.detail for answer in answers if not answer.whole)
    return Stop(whole, len(answers) - whole, judged.outcomes["ok"], code, wrong)


async def test_everything_that_runs_ends_whole(tmp_path: Path, report: Report) -> None:
    stops: list[Stop] = []
    for number in range(1, STOPS + 1):
        stops.append(await stop_once(tmp_path / f"{number}"))
        if number % SHOWN_EVERY == 0:
            print(f"{number} of {STOPS} stopped", flush=True)
    wrong = [f"stop {number}: {flaw}" for number, stop in enumerate(stops, 1) for flaw in stop.wrong]
    whole, broken = sum(stop.whole for stop in stops), sum(stop.broken for stop in stops)
    rows = sum(stop.ok for stop in stops)
    codes = Counter(stop.code for stop in stops)
    report.add(STOPS, whole + broken, whole, broken, rows, len(wrong), dict(codes))
    assert not wrong, "\n".join(wrong[:40])
    assert (whole, broken, rows) == (STOPS * (STREAMS + WAITING), 0, STOPS * (STREAMS + WAITING))
    assert set(codes) == {0}


@pytest.mark.parametrize("why", ["limit", "second signal", "second signal to a supervisor"])
async def test_what_may_not_go_on_ends_visibly(tmp_path: Path, why: str) -> None:
    data_dir = tmp_path / "data"
    async with Teller() as teller:
        environ, key, arguments = await prepared(data_dir, teller)
        environ |= {"GATEWAY_DRAIN_SECONDS": "0.5" if why == "limit" else "3600"}
        arguments += ("--workers", "2") if why.endswith("supervisor") else ()
        async with RunningGateway(data_dir, environ=environ, arguments=arguments) as gateway:
            asking = await live(gateway, teller, key, 5)
            custom = await gateway.client.open_chat(TALE, key=key)
            assert (await custom.head()).status == 200
            gateway.send(signal.SIGTERM)
            if why != "limit":
                await until_draining(gateway)
                await asyncio.sleep(0.6)  # sooner it would be the same one
                gateway.send(signal.SIGTERM)
            streams = [await one.finish() for one in asking[:5]]
            waiting = [await one.finish() for one in asking[5:]]
            cut = await custom.finish()
            assert await gateway.stop() == 0
            assert "Traceback" not in gateway.log
        outcomes = Counter(row.outcome for row in await read_rows(data_dir, environ))
    for answer in streams:
        assert answer.complete
        assert b'"code":"server_shutting_down"' in answer.body
        assert answer.body.endswith(b"data: [DONE]\n\n")
    assert {(answer.status, answer.header("retry-after")) for answer in waiting} == {(503, "1")}
    assert (cut.status, cut.complete) == (200, False)
    assert outcomes == {"shutdown": 5 + WAITING + 1}
