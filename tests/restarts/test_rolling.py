"""Workers are replaced under load, and no client is told of it.

`make rolling` restarts all workers 20 times and writes the counts into docs/reliability.md.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from restart_account import account, read_rows
from restart_load import Load, told
from restart_report import Report
from restart_upstream import MARK, WARM, Teller
from seeding import seed

from gateway.registry import NewModel
from gateway.testing.running import RunningGateway

pytestmark = pytest.mark.asyncio(loop_scope="module")
RESTARTS = int(os.environ.get("ROLLING_RESTARTS", "1"))
WORKERS = int(os.environ.get("ROLLING_WORKERS", "2"))
CLIENTS = int(os.environ.get("ROLLING_CLIENTS", "8"))
HELD = 4
"""Streams that run from before a restart until after it."""
HANG = 100


@pytest.fixture(scope="module")
def report() -> Iterator[Report]:
    """Shown at the end."""
    head = ("restarts", "workers replaced", "requests", "whole", "failed", "rows ok", "wrong")
    shown = Report("rolling restarts", head)
    yield shown
    shown.show(os.environ.get("ROLLING_REPORT"))


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(HANG):
        while not holds():
            await asyncio.sleep(0.02)


def number(process: str) -> int:
    """The system's number of a worker that marked itself."""
    return int(process.partition("-")[0])


def lives(process: str) -> bool:
    """Whether it runs; one that ended and that nobody has collected has no command line (Linux)."""
    try:
        return bool(Path(f"/proc/{number(process)}/cmdline").read_bytes())
    except OSError:
        return False


class Rolling:
    """A gateway of several workers before an upstream that knows them."""

    def __init__(self, gateway: RunningGateway, teller: Teller, key: str, plugin: Path) -> None:
        self.gateway = gateway
        self.teller = teller
        self.key = key
        self.plugin = plugin
        self.started: list[str] = []
        """All workers so far."""
        teller.on_start = self.started.append

    def serving(self) -> set[str]:
        """Those that live."""
        return {process for process in self.started if lives(process)}

    def log(self, event: str) -> int:
        """How often the log has said so."""
        return self.gateway.log.count(f" {event} ")

    async def serve_all(self, processes: set[str]) -> None:
        """Wait until each of these has asked the upstream once more."""
        begun = len(self.teller.asked)
        await until(lambda: processes <= {one.process for one in self.teller.asked[begun:]})


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def rolling(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rolling]:
    folder = tmp_path_factory.mktemp("rolling")
    plugin, data_dir = folder / "mark.py", folder / "data"
    plugin.write_text(MARK + WARM)
    async with Teller(pause=0.03) as teller:
        environ = {"GATEWAY_EGRESS__ALLOW": '["127.0.0.1"]', "MARK_PORT": str(teller.port)}
        models = [NewModel(name="tale", base_url=f"{teller.origin}/tale/v1", model_id="m")]
        key = (await seed(data_dir, environ, models=models, keys={"one": None}))["one"]
        arguments = ("--workers", str(WORKERS), "--plugin", str(plugin))
        gateway = RunningGateway(data_dir, environ=environ, arguments=arguments)
        one = Rolling(gateway, teller, key, plugin)
        async with gateway:
            await until(lambda: one.log("worker_ready") == WORKERS)
            yield one
            assert await gateway.stop() == 0
            assert "Traceback" not in gateway.log
    assert list((data_dir / "usage").iterdir()) == []


async def test_a_restart_of_all_workers_fails_no_request(rolling: Rolling, report: Report) -> None:
    load = Load(rolling.gateway.client, rolling.key, CLIENTS, whole=CLIENTS // 2)
    died = rolling.log("worker_died")
    for _ in range(RESTARTS):
        await restarted_under(rolling, load)
    await load.end()
    whole, rows = sum(answer.whole for answer in load.told), []
    async with asyncio.timeout(HANG):
        while len(rows) < len(rolling.teller.asked):  # they are written in batches
            rows = await read_rows(rolling.gateway.data_dir, {})
    judged = account(rolling.teller.asked, load.told, {}, rows, 0.0)
    replaced = len(rolling.started) - WORKERS
    failed = len(load.told) - whole
    report.add(RESTARTS, replaced, len(load.told), whole, failed, judged.outcomes["ok"], len(judged.wrong))
    assert not failed, [answer.detail for answer in load.told if not answer.whole]
    assert not judged.wrong, "\n".join(judged.wrong)
    assert judged.outcomes == {"ok": len(load.told)}
    assert replaced == WORKERS * RESTARTS
    assert rolling.log("worker_died") == died


async def restarted_under(rolling: Rolling, load: Load) -> None:
    """Replace all workers, with streams that run from before until after it."""
    teller, old = rolling.teller, rolling.serving()
    await rolling.serve_all(old)
    teller.hold()
    request = load.request(keeps=True)
    held = [await rolling.gateway.client.send_bytes(request) for _ in range(HELD)]
    for stream in held:
        assert (await stream.head()).status == 200
    teller.held = False
    teller.may_start.clear()
    started, left, done = len(rolling.started), rolling.log("leaving"), rolling.log("restarted")
    rolling.gateway.send(signal.SIGUSR2)
    await until(lambda: len(rolling.started) > started)
    await rolling.serve_all(old)
    assert rolling.log("leaving") == left, "none may leave before another one is ready"
    teller.may_start.set()
    await until(lambda: rolling.log("restarted") > done)
    new = set(rolling.started[started:])
    assert len(new | old) == 2 * WORKERS
    await rolling.serve_all(new)
    assert any(lives(process) for process in old), "a stream runs there"
    teller.go_on()
    for stream in held:
        load.told.append(told(await stream.read()))
        # Its answer had begun before the restart and could not say `close`: one more must be possible.
        answer = await stream.again(request).finish()
        load.told.append(told(answer))
        assert answer.header("connection") == "close"
    await until(lambda: rolling.serving() == new)


async def test_one_that_is_told_to_end_alone_is_replaced_first_and_told_again_hurries(
    rolling: Rolling,
) -> None:
    rolling.teller.hold()
    stream = await rolling.gateway.client.send_bytes(Load(rolling.gateway.client, rolling.key, 0).request())
    assert (await stream.head()).status == 200
    rolling.teller.held = False
    first = rolling.teller.asked[-1].process
    others = rolling.serving() - {first}
    load = Load(rolling.gateway.client, rolling.key, 4, whole=2)
    rolling.teller.may_start.clear()
    started, left = len(rolling.started), rolling.log("leaving")
    os.kill(number(first), signal.SIGTERM)
    await until(lambda: len(rolling.started) > started)
    await rolling.serve_all({first, *others})
    assert rolling.log("leaving") == left
    rolling.teller.may_start.set()
    await until(lambda: rolling.log("leaving") > left)
    await rolling.serve_all({*others, rolling.started[-1]})
    await load.end()
    assert all(answer.whole for answer in load.told), [answer.detail for answer in load.told if not answer.whole]
    assert lives(first), "a stream runs there"

    # Told again, it ends that visibly.
    os.kill(number(first), signal.SIGTERM)
    assert b"server_shutting_down" in (await stream.finish()).body
    await until(lambda: not lives(first))
    assert rolling.serving() == {*others, rolling.started[-1]}


async def test_new_ones_that_do_not_start_cost_no_request_and_are_tried_again_where_one_is_missing(
    rolling: Rolling,
) -> None:
    load = Load(rolling.gateway.client, rolling.key, 4, whole=2)
    serving = rolling.serving()
    works = rolling.plugin.read_text()
    rolling.plugin.write_text("1 / 0\n")
    rolling.gateway.send(signal.SIGUSR2)
    await until(lambda: rolling.log("restart_failed") == 1)
    assert "status 3 before it was ready" in rolling.gateway.log
    await rolling.serve_all(serving)
    await load.end()
    assert all(answer.whole for answer in load.told), [answer.detail for answer in load.told if not answer.whole]

    killed, *_ = serving
    ready = rolling.log("worker_ready")
    os.kill(number(killed), signal.SIGKILL)
    await until(lambda: "status=3 seconds=1.0" in rolling.gateway.log)
    assert (await rolling.gateway.client.request("GET", "/health/ready")).status == 200
    rolling.plugin.write_text(works)
    await until(lambda: rolling.log("worker_ready") > ready)
    assert rolling.serving() == {*serving, rolling.started[-1]} - {killed}
