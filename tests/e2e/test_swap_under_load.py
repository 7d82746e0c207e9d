"""Plugins are swapped while answers stream: none breaks, none sees half a set, and every old set is closed.

`make swaps` runs it with 200 streams and 100 swaps.
"""

import asyncio
import os
from pathlib import Path

from control_plane import Admin, config
from seeding import seed

from gateway.registry import NewModel
from gateway.testing.demo import DemoUpstream
from gateway.testing.running import RunningGateway

STREAMS = int(os.environ.get("SOAK_STREAMS", "50"))
SWAPS = int(os.environ.get("SOAK_SWAPS", "20"))
MODEL = "50a50000-0000-4000-8000-000000000001"
ALLOWED_GROWTH = 24 * 1024
"""Kilobytes that the process may grow by in the second half of the swaps."""

# Every assembly runs the file anew, so each generation has a token of its own; an exchange that met two generations,
# or one whose lifespan is not open, is refused.
PAIR = """
import secrets
from contextlib import asynccontextmanager

from gateway import GatewayError, Route, hookimpl

class Set:
    def __init__(self):
        self.token = secrets.token_hex(8)
        self.open = False

class Lookup:
    def __init__(self, gateway, own):
        self.gateway, self.own = gateway, own

    async def find(self, name, principal):
        model = self.gateway.snapshot.model(name)
        return Route(self.own.token, (model,), is_model=True) if model else None

class Check:
    def __init__(self, own):
        self.own = own

    async def transform(self, request, exchange):
        if exchange.route.name != self.own.token or not self.own.open:
            raise GatewayError("half a set")
        return request

OWN = Set()

@hookimpl
def register_model_lookups(gateway):
    return [Lookup(gateway, OWN)]

@hookimpl
def register_request_transforms():
    return [Check(OWN)]

@hookimpl
def lifespan():
    @asynccontextmanager
    async def life():
        OWN.open = True
        yield
        OWN.open = False
    return life()
"""


class Load:
    """Streams that are asked for again and again, and what became of them."""

    def __init__(self, gateway: RunningGateway, key: str, text: str) -> None:
        self._gateway = gateway
        self._key = key
        self._text = text
        self.over = asyncio.Event()
        self.broken: list[str] = []
        self.whole = 0

    async def ask(self) -> None:
        while not self.over.is_set():
            answer = await self._gateway.client.chat(MODEL, self._text, key=self._key)
            if answer.status == 200 and answer.complete and self._text.encode() in answer.body:
                self.whole += 1
            else:
                self.broken.append(f"{answer.status} {answer.error} {answer.body[-200:]!r}")


def memory(process: int) -> int:
    """Resident kilobytes (Linux)."""
    fields = Path(f"/proc/{process}/status").read_text().splitlines()
    return int(next(line for line in fields if line.startswith("VmRSS")).split()[1])


async def swap(admin: Admin, number: int) -> None:
    """The next of four kinds of swap."""
    kinds = ("/plugins/pair/disable", "/plugins/pair/enable", "/plugins/reload", "/plugins/rollback")
    await admin.change(kinds[number % 4])
    if number % 4 == 3:
        await admin.change("/plugins/pair/enable")  # the rollback had taken the enabling back


async def test_no_stream_breaks_while_plugins_are_swapped(tmp_path: Path) -> None:
    plugin = tmp_path / "pair.py"
    plugin.write_text(PAIR)
    environ = {"GATEWAY_EGRESS__ALLOW": '["127.0.0.1"]', **config(tmp_path, plugin)}
    async with DemoUpstream(delay=0.1) as upstream:
        model = NewModel(id=MODEL, name="demo", model_id="demo", base_url=upstream.base_url, sharing="public")
        keys = await seed(tmp_path / "data", environ, models=[model], keys={"asker": None})
        async with RunningGateway(tmp_path / "data", environ=environ) as gateway:
            boss = (await gateway.command("keys", "create", "boss", "--scope", "admin")).strip()
            (gateway.data_dir / "admin-key").write_text(boss)
            admin = Admin(gateway)
            load = Load(gateway, keys["asker"], "every word of this has to arrive, whatever is swapped meanwhile")
            asking = [asyncio.create_task(load.ask()) for _ in range(STREAMS)]
            await asyncio.sleep(1.0)
            sizes = []
            for number in range(SWAPS):
                await swap(admin, number)
                sizes.append(memory(gateway.pid))
                assert (await admin.get("/generations"))["workers"][0]["exchanges"] >= 0
            load.over.set()
            await asyncio.gather(*asking)
            async with asyncio.timeout(30):
                while (worker := (await admin.get("/generations"))["workers"][0])["draining"]:
                    await asyncio.sleep(0.05)
    middle, end = sizes[len(sizes) // 2], sizes[-1]
    print(f"\n{SWAPS} swaps, {load.whole} whole streams, memory {sizes[0]} -> {middle} -> {end} kB, {worker}")
    assert load.broken == []
    assert load.whole >= STREAMS
    assert worker["closed"] == worker["generation"] - 1 >= SWAPS
    assert end - middle < ALLOWED_GROWTH
