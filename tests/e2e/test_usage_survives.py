"""Usage on the real server: every attempt becomes one row, whatever ends the process."""

import asyncio
import os
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime

import pytest
from outage import away
from seeding import seed

from gateway.registry import Database, NewModel, UsageStore
from gateway.registry.tables import usage
from gateway.settings import load_settings
from gateway.testing import faults
from gateway.testing.running import RunningGateway
from gateway.testing.upstream import ScriptedUpstream, chat_events, stream

HANG = 60
OK = stream(*chat_events("a", "b"), pause=0)


async def rows(data_dir, environ=None) -> dict[str, str]:
    """The outcome of every attempt that has a row."""
    database = await Database.open(load_settings(None, {**(environ or {}), "GATEWAY_DATA_DIR": str(data_dir)}))
    try:
        async with database.read() as connection:
            found = (await connection.execute(usage.select())).all()
            return {row.attempt_id: row.outcome for row in found}
    finally:
        await database.aclose()


async def until_rows(data_dir, count: int, environ=None) -> dict[str, str]:
    async with asyncio.timeout(HANG):
        while len(found := await rows(data_dir, environ)) < count:
            await asyncio.sleep(0.1)
    return found


async def ask(gateway, key: str, model: str):
    headers = [("authorization", f"Bearer {key}")]
    body = b'{"model":"%s","stream":true,"messages":[{"role":"user","content":"hi"}]}' % model.encode()
    return await gateway.client.send("POST", "/v1/chat/completions", headers=headers, body=body)


async def until_lag(gateway, wanted: Callable[[float], bool]) -> None:
    """Wait until the metric of the journal's lag is so."""
    key = (gateway.data_dir / "admin-key").read_text().strip()
    headers = [("authorization", f"Bearer {key}"), ("accept", "text/plain")]
    async with asyncio.timeout(HANG):
        while True:
            text = (await gateway.client.request("GET", "/metrics", headers=headers)).body.decode()
            (line,) = [line for line in text.splitlines() if line.startswith("gateway_usage_lag_seconds ")]
            if wanted(float(line.split()[1])):
                return
            await asyncio.sleep(0.1)


@pytest.mark.parametrize("durability", ["window", "durable"])
async def test_a_killed_process_loses_no_attempt_that_was_noted(tmp_path, durability):
    data_dir = tmp_path / "data"
    environ = {"GATEWAY_EGRESS__ALLOW": '["127.0.0.1"]', "GATEWAY_USAGE__DURABILITY": durability}
    async with ScriptedUpstream() as upstream:
        models = [
            NewModel(name="good", base_url=upstream.play("good", OK), model_id="m"),
            NewModel(name="slow", base_url=upstream.play("slow", faults.stall_midstream("a")), model_id="m"),
        ]
        key = (await seed(data_dir, environ, models=models, keys={"one": None}))["one"]
        async with RunningGateway(data_dir, environ=environ) as gateway:
            for _ in range(20):
                assert (await (await ask(gateway, key, "good")).finish()).complete
            running = [await ask(gateway, key, "slow") for _ in range(5)]
            for one in running:
                await one.head()
            await asyncio.sleep(0.2)  # four times the window
            os.kill(gateway.pid, signal.SIGKILL)
            for one in running:
                await one.leave()
        async with RunningGateway(data_dir, environ=environ):
            found = await until_rows(data_dir, 25)
    assert sorted(found.values()) == ["lost"] * 5 + ["ok"] * 20


async def test_a_stop_delivers_everything_and_leaves_no_journal(tmp_path):
    data_dir, environ = tmp_path / "data", {"GATEWAY_EGRESS__ALLOW": '["127.0.0.1"]'}
    async with ScriptedUpstream() as upstream:
        models = [NewModel(name="good", base_url=upstream.play("good", OK), model_id="m")]
        key = (await seed(data_dir, environ, models=models, keys={"one": None}))["one"]
        async with RunningGateway(data_dir, environ=environ) as gateway:
            for _ in range(10):
                await (await ask(gateway, key, "good")).finish()
            assert await gateway.stop() == 0
    assert list((await rows(data_dir)).values()) == ["ok"] * 10
    assert list((data_dir / "usage").iterdir()) == []


async def test_a_database_that_is_away_loses_no_row(tmp_path, fresh_postgres_url):
    """PostgreSQL refuses everybody for a while: chats go on, and their rows come when it is back."""
    data_dir = tmp_path / "data"
    environ = {"GATEWAY_EGRESS__ALLOW": '["127.0.0.1"]', "GATEWAY_DATABASE_URL": fresh_postgres_url}
    async with ScriptedUpstream() as upstream:
        models = [NewModel(name="good", base_url=upstream.play("good", OK), model_id="m")]
        key = (await seed(data_dir, environ, models=models, keys={"one": None}))["one"]
        async with RunningGateway(data_dir, environ=environ) as gateway:
            async with away(fresh_postgres_url):
                for _ in range(15):
                    assert (await (await ask(gateway, key, "good")).finish()).complete
                async with asyncio.timeout(HANG):
                    while "usage_sink_failed" not in gateway.log:
                        await asyncio.sleep(0.05)
            found = await until_rows(data_dir, 15, environ)
            assert "Traceback" not in gateway.log
    assert list(found.values()) == ["ok"] * 15


async def test_the_command_sums_up_what_a_server_wrote(tmp_path):
    data_dir, environ = tmp_path / "data", {"GATEWAY_EGRESS__ALLOW": '["127.0.0.1"]'}
    async with ScriptedUpstream() as upstream:
        prices = {"input": 1.0, "output": 2.0}
        models = [NewModel(name="good", base_url=upstream.play("good", OK), model_id="m", prices=prices)]
        key = (await seed(data_dir, environ, models=models, keys={"one": None}))["one"]
        async with RunningGateway(data_dir, environ=environ) as gateway:
            await (await ask(gateway, key, "good")).finish()
            await until_rows(data_dir, 1)
            database = await Database.open(load_settings(None, {"GATEWAY_DATA_DIR": str(data_dir)}))
            try:
                (total,) = await UsageStore(database).sums("model", until=datetime.now(UTC))
            finally:
                await database.aclose()
            line = (await gateway.command("usage", "sum")).splitlines()[1].split()
    assert line[:2] == [total.group, str(total.attempts)] == ["good", "1"]


async def test_a_locked_sqlite_is_never_shown_to_a_client_and_loses_no_row(tmp_path):
    """Another program holds the writer's lock, for longer than the gateway needs to notice; meanwhile the lag grows."""
    data_dir, environ = tmp_path / "data", {"GATEWAY_EGRESS__ALLOW": '["127.0.0.1"]'}
    async with ScriptedUpstream() as upstream:
        models = [NewModel(name="good", base_url=upstream.play("good", OK), model_id="m")]
        key = (await seed(data_dir, environ, models=models, keys={"one": None, "admin": None}, admins=["admin"]))["one"]
        async with RunningGateway(data_dir, environ=environ) as gateway:
            with closing(sqlite3.connect(data_dir / "gateway.db", isolation_level=None)) as other:
                other.execute("BEGIN EXCLUSIVE")
                for _ in range(15):
                    assert (await (await ask(gateway, key, "good")).finish()).complete
                assert (await (await ask(gateway, key, "nobody's")).finish()).status == 404
                await asyncio.sleep(2)  # two looks at the registry, and as many tries to deliver
                assert (await gateway.client.request("GET", "/health/ready")).status == 200
                assert (await (await ask(gateway, key, "good")).finish()).complete
                await until_lag(gateway, lambda seconds: seconds > 2)
                other.execute("ROLLBACK")
            assert list((await until_rows(data_dir, 16)).values()) == ["ok"] * 16
            await until_lag(gateway, lambda seconds: seconds == 0)
            assert "Traceback" not in gateway.log
