"""The keyring is rotated, killed half-way and pruned while two workers serve: no request fails, nothing gets lost."""

import asyncio
import itertools
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from seeding import seed

from gateway.registry import Database, KeyStore, ModelStore, NewModel
from gateway.registry.rotation import BATCH, key_uses, prune, rotate
from gateway.registry.snapshot import contents, made_of
from gateway.registry.tables import models
from gateway.secrets import Secret
from gateway.settings import load_settings
from gateway.testing.running import RunningGateway
from gateway.testing.upstream import Behaviour, ScriptedUpstream, chat_events, stream

ASKED = 6
"""Models that requests are for; their ids are the first and the last ones."""
STORED = BATCH + 20
HALF_WAY = [("seals", BATCH + 1), ("opens", STORED - BATCH)]
"""What the keys seal then: the index secret and the first batch under the new one."""
ALLOW = {"GATEWAY_EGRESS__ALLOW": '["127.0.0.1"]'}
LIMIT = 60.0
pytestmark = pytest.mark.timeout(300)


def model_id(number: int) -> str:
    return f"5ec20000-0000-4000-8000-{number:012}"


class Load:
    """Requests for the asked models in turn, each with its own key at the upstream, until told to end."""

    def __init__(self, gateway: RunningGateway, key: str, numbers: list[int]) -> None:
        self._gateway = gateway
        self._key = key
        self._numbers = numbers
        self.over = asyncio.Event()
        self.broken: list[str] = []
        self.whole = 0

    async def ask(self, start: int) -> None:
        for turn in itertools.count(start):
            number = self._numbers[turn % len(self._numbers)]
            answer = await self._gateway.client.chat(model_id(number), key=self._key)
            if answer.status == 200 and answer.complete and answer.body == f"it is {number}".encode():
                self.whole += 1
            else:
                self.broken.append(f"{number}: {answer.status} {answer.error} {answer.body[-200:]!r}")
            if self.over.is_set():
                return
            await asyncio.sleep(0.02)  # the commands want to run, too

    async def goes_on(self) -> None:
        """Wait until every asked model has been asked twice more."""
        wanted = self.whole + len(self.broken) + 2 * ASKED
        async with asyncio.timeout(LIMIT):
            while self.whole + len(self.broken) < wanted:
                await asyncio.sleep(0.02)


def play(upstream: ScriptedUpstream, number: int) -> str:
    behaviour: Behaviour = stream(*chat_events("it is ", str(number)), pause=0.0)
    return upstream.play(f"m{number}", behaviour)


async def uses(database: Database) -> list[tuple[str, int]]:
    return [(use.role, use.values) for use in await key_uses(database)]


async def kill_half_way(gateway: RunningGateway, database: Database) -> None:
    """Rotate, and end the rotating process as a power cut would, while its second batch waits for a locked row."""
    async with database.change() as connection:
        last = sa.select(models.c.id).where(models.c.id == model_id(STORED - 1))
        await connection.execute(last.with_for_update())
        process = await gateway.start_command("secrets", "rotate")
        async with asyncio.timeout(LIMIT):
            while await uses(database) != HALF_WAY:
                await asyncio.sleep(0.05)
        process.kill()
        await process.wait()


@pytest.mark.postgres
async def test_no_request_fails_while_the_keyring_is_rotated_killed_finished_and_pruned(
    tmp_path: Path, fresh_postgres_url: str
) -> None:
    environ = {**ALLOW, "GATEWAY_DATABASE_URL": fresh_postgres_url}
    asked = [*range(ASKED // 2), *range(STORED - ASKED // 2, STORED)]
    async with ScriptedUpstream() as upstream:
        stored = [
            NewModel(
                id=model_id(number),
                name=f"m{number}",
                model_id="m",
                base_url=play(upstream, number) if number in asked else upstream.origin,
                api_key=Secret(f"sk-{number}"),
            )
            for number in range(STORED)
        ]
        secrets = await seed(tmp_path / "data", environ, models=stored, keys={"asker": None})
        database = await Database.open(load_settings(None, {**environ, "GATEWAY_DATA_DIR": str(tmp_path / "data")}))
        async with RunningGateway(tmp_path / "data", environ=environ, arguments=("--workers", "2")) as gateway:
            load = Load(gateway, secrets["asker"], asked)
            asking = [asyncio.create_task(load.ask(start)) for start in range(2)]
            await kill_half_way(gateway, database)
            assert await uses(database) == HALF_WAY
            await load.goes_on()
            assert (await rotate(database)).resumed
            assert await uses(database) == [("seals", STORED + 1), ("opens", 0)]
            await load.goes_on()
            await prune(database)
            assert await uses(database) == [("seals", STORED + 1)]
            await ModelStore(database).update(model_id(0), {"description": "looked at anew"})
            await load.goes_on()
            load.over.set()
            await asyncio.gather(*asking)
            assert load.broken == []
            assert "left out" not in gateway.log
        snapshot = await made_of(await contents(database), database)  # as a server that starts now would
        found = [snapshot.model(model_id(number)) for number in range(STORED)]
        assert [model and model.api_key.reveal() for model in found] == [f"sk-{number}" for number in range(STORED)]
        await database.aclose()
        sent = {(n, seen.request.header("authorization")) for n in asked for seen in upstream.seen(f"m{n}")}
    assert sent == {(number, f"Bearer sk-{number}") for number in asked}


async def until(gateway: RunningGateway, key: str, status: int) -> None:
    """Wait until both workers answer a request with that key so: many connections in a row reach both."""
    in_a_row = 0
    async with asyncio.timeout(LIMIT):
        while in_a_row < 12:
            answer = await gateway.client.chat(model_id(0), key=key)
            in_a_row = in_a_row + 1 if answer.status == status else 0


async def test_workers_on_sqlite_take_up_new_keys_of_the_keyring_and_of_clients(tmp_path: Path) -> None:
    async with ScriptedUpstream() as upstream:
        stored = [
            NewModel(id=model_id(n), name=f"m{n}", model_id="m", base_url=play(upstream, n), api_key=Secret(f"sk-{n}"))
            for n in range(ASKED)
        ]
        secrets = await seed(tmp_path / "data", ALLOW, models=stored, keys={"asker": None, "app": None})
        database = await Database.open(load_settings(None, {"GATEWAY_DATA_DIR": str(tmp_path / "data")}))
        async with RunningGateway(tmp_path / "data", environ=ALLOW, arguments=("--workers", "2")) as gateway:
            load = Load(gateway, secrets["asker"], list(range(ASKED)))
            asking = [asyncio.create_task(load.ask(start)) for start in range(2)]
            await rotate(database)
            await prune(database)
            app = await KeyStore(database).find("app")
            _, _, fresh = await KeyStore(database).rotate(app.id, timedelta(seconds=1))
            await until(gateway, fresh.reveal(), 200)
            await until(gateway, secrets["app"], 401)
            await load.goes_on()
            load.over.set()
            await asyncio.gather(*asking)
            assert load.broken == []
            assert "left out" not in gateway.log
        await database.aclose()
