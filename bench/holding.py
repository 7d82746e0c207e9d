"""`python -m bench.holding [DATABASE_URL]`: how long what goes on in the background holds the event loop.

A task takes every turn of the loop that it can get, so it sees how long each one took: for a chunk that comes in that
moment there is nothing else. What is told is the longest turn while one thing is done, in milliseconds: by the wall,
which has in it what others do on this machine, and in CPU time of the loop's thread, which has not in it what a
thread does that holds the interpreter. Each is done several times; least, median and most of them.
"""

import asyncio
import gc
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Final
from uuid import uuid4

import sqlalchemy as sa
import uvloop

from gateway.domain import Outcome, UsageRecord
from gateway.registry import Database, UsageStore
from gateway.registry.kept import keep
from gateway.registry.snapshot import contents, made_of
from gateway.registry.tables import keys, models
from gateway.settings import Settings

_TIMES: Final = 10
_MODELS, _KEYS, _BATCH = 1_000, 10_000, 500


async def longest(work: Awaitable[object]) -> tuple[float, float]:
    """The longest turn while it is done, in milliseconds: by the wall, and in CPU time of this thread."""
    wall, cpu = [0.0], [0.0]

    async def turn() -> None:
        seen, spent = time.perf_counter(), time.thread_time()
        while True:
            await asyncio.sleep(0)
            wall.append(time.perf_counter() - seen)
            cpu.append(time.thread_time() - spent)
            seen, spent = time.perf_counter(), time.thread_time()

    turning = asyncio.create_task(turn())
    await asyncio.sleep(0)
    await work
    await asyncio.sleep(0)  # the last turn counts, too
    await asyncio.sleep(0)
    turning.cancel()
    return 1e3 * max(wall), 1e3 * max(cpu)


async def tell(title: str, work: Callable[[], Awaitable[object]]) -> None:
    """Do it some times, and print what it took."""
    await work()  # what is made once is not the question
    gc.collect()
    gc.freeze()  # as the server does
    told = [await longest(work()) for _ in range(_TIMES)]
    spread = [f"{min(one):.2f} / {median(one):.2f} / {max(one):.2f}" for one in zip(*told, strict=True)]
    print(f"{title:52} wall {spread[0]:>24}   CPU {spread[1]:>22}", flush=True)


def batch() -> list[UsageRecord]:
    """Records of whole answers."""
    return [
        UsageRecord(
            attempt_id=str(uuid4()),
            exchange_id=str(uuid4()),
            principal_id=str(uuid4()),
            owner=None,
            route="fast",
            model_id=str(uuid4()),
            model_name="gpt",
            provider="openai",
            number=1,
            started_at=time.time(),
            outcome=Outcome.OK,
            status=200,
            provenance="reported",
            input_tokens=100,
            output_tokens=10,
            finish_reason="stop",
            cost=0.25,
        )
        for _ in range(_BATCH)
    ]


async def fill(database: Database) -> None:
    """A large registry."""
    model = {"model_id": "m", "base_url": "https://api.openai.com/v1"}
    key = {"scopes": ["chat"], "prefix": "gw-", "limits": {"rpm": 100}}
    async with database.change() as connection:
        sealed = [database.keyring.seal(f"sk-{number}") for number in range(_MODELS)]
        rows = [{**model, "id": str(uuid4()), "name": f"m{n}", "api_key": one} for n, one in enumerate(sealed)]
        await connection.execute(sa.insert(models), rows)
        rows = [{**key, "id": str(uuid4()), "name": f"k{n}", "digest": uuid4().bytes} for n in range(_KEYS)]
        await connection.execute(sa.insert(keys), rows)


async def measure(folder: Path, url: str | None) -> None:
    """Everything, on a database that nothing else uses."""
    settings = Settings(data_dir=folder, auto_migrate=True)
    if url is not None:
        settings = settings.model_copy(update={"database_url": url})
    database = await Database.open(settings)
    try:
        store = UsageStore(database)
        batches = [batch() for _ in range(_TIMES + 1)]
        await tell(f"a batch of the ledger: {_BATCH} records", lambda: store.add(batches.pop()))
        await fill(database)
        rows = await contents(database)
        snapshot = await made_of(rows, database)
        await tell(f"reading the registry: {_MODELS} models, {_KEYS} keys", lambda: contents(database))
        await tell("making a snapshot of it, nothing known", lambda: made_of(rows, database))
        await tell("making a snapshot of it, all models known", lambda: made_of(rows, database, snapshot))
        keeping = partial(keep, settings, rows, database.keyring, database.index)
        await tell("keeping it for a start without its database", lambda: asyncio.to_thread(keeping))
    finally:
        await database.aclose()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        uvloop.run(measure(Path(folder), sys.argv[1] if len(sys.argv) > 1 else None))
