"""What a reload replaces is gone: counted after a full collection, so that no noise of the allocator can hide it."""

import asyncio
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from seeding import seed

from gateway.testing.running import RunningGateway

PROBE = Path(__file__).parents[1] / "probe.py"
WARM, RELOADS = 2, 4
OF_ONE = 2000
"""Blocks that a reload may leave in caches that are bounded; a generation has some 35,000."""


class Reloading:
    def __init__(self, gateway: RunningGateway) -> None:
        self._gateway = gateway
        self._published = gateway.log.count("generation_published")

    async def heap(self) -> dict[str, int]:
        answer: dict[str, int] = (await self._gateway.client.request("GET", "/probe/heap")).json()
        return answer

    async def reload(self) -> None:
        """Reload, and wait until the old generation has closed."""
        self._gateway.send(signal.SIGHUP)
        self._published += 1
        try:
            async with asyncio.timeout(60):
                for event in ("generation_published", "generation_closed"):
                    while self._gateway.log.count(event) < self._published:
                        await asyncio.sleep(0.02)
        except TimeoutError:
            pytest.fail(f"reload {self._published} did not end; the gateway said:\n{self._gateway.log}")


@pytest.fixture(autouse=True)
def hears_hangups() -> Iterator[None]:
    """Also where the tests run under `nohup`, which has the gateway ignore SIGHUP."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


async def test_a_reload_leaves_nothing_of_the_old_generation(tmp_path: Path) -> None:
    environ = {"GATEWAY_PLUGIN_FILES": str(PROBE), "GATEWAY_PLUGINS__PROBE__RECORDS": str(tmp_path / "records")}
    await seed(tmp_path / "data", environ)
    async with RunningGateway(tmp_path / "data", environ=environ) as gateway:
        reloading = Reloading(gateway)
        for _ in range(WARM):
            await reloading.reload()
        before = await reloading.heap()
        for _ in range(RELOADS):
            await reloading.reload()
        after = await reloading.heap()
    assert after["generations"] <= 2, "the one that serves, and perhaps the one that has just closed"
    assert after["blocks"] - before["blocks"] < OF_ONE * RELOADS
