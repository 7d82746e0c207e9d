"""Limits counted by a real Redis: exact over many processes, and each by itself while it is away."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from redis_server import RedisServer, program

from gateway.testing.standin import RecordingLog
from gateway_limits.connecting import shared_counters
from gateway_limits.counters import Cell
from gateway_limits.settings import Settings

HANG = 60
PATIENCE = 2.0


@pytest.fixture
async def server(tmp_path):
    made = RedisServer(program(), tmp_path)
    await made.start()
    yield made
    made.stop()


@asynccontextmanager
async def workers(server, count=1, patience=PATIENCE):
    """Counters as so many processes have them, and the log of the first."""
    logs = [RecordingLog() for _ in range(count)]
    made = [shared_counters(Settings(url=server.url, patience=patience), log) for log in logs]
    async with asyncio.TaskGroup() as group:
        opened = [one.running() for one in made]
        for one in opened:
            group.create_task(one.__aenter__())
    try:
        yield made, logs[0]
    finally:
        for one in opened:
            await one.__aexit__(None, None, None)


def cell(kind, limit, need=1.0):
    return Cell(f"key:k:{kind}", kind, limit, need)


async def test_what_many_workers_take_at_once_is_the_limit_and_not_one_more(server):
    cells = [cell("concurrent", 1000), cell("rpm", 60), cell("tpm", 100_000, 10)]
    async with workers(server, 4, patience=5) as (counters, _):
        asked = [counters[number % 4].take(cells, f"h{number}") for number in range(200)]
        taken = [one for one in await asyncio.gather(*asked) if one.refused is None]
    # A request comes back each second that this takes.
    assert 60 <= len(taken) < 75


async def test_tokens_come_back_and_places_are_free_for_every_worker(server):
    cells = [cell("concurrent", 1), cell("tpm", 100, 80)]
    async with workers(server, 2) as ((first, second), _):
        assert (await first.take(cells, "a")).refused is None
        refused = await second.take(cells, "b")
        assert refused.refused == 0
        assert 20 <= refused.left[1] < 60
        await first.settle(cells, "a", 30)
        taken = await second.take([cell("tpm", 100, 1)], "c")
        assert 69 <= taken.left[0] < 100
        assert (await second.take([cells[0]], "d")).refused is None
        await second.settle([cells[0]], "d", 0)


async def test_an_answer_that_was_longer_than_reserved_leaves_a_debt_to_all(server):
    few = [cell("tpm", 60, 10)]
    async with workers(server, 2) as ((first, second), _):
        await first.take(few, "a")
        await first.settle(few, "a", 100_000)
        taken = await second.take(few, "b")
        assert taken.refused == 0
        assert taken.left[0] < -90_000
        assert first.left(few[0]) < -90_000


async def test_without_the_server_each_counts_by_itself_at_once_and_with_it_together_again(server):
    places = [cell("concurrent", 2)]
    async with workers(server, 2) as ((first, second), log):
        assert (await first.take(places, "a")).refused is None
        server.stop()
        # What this worker has let in counts; what others have, nobody knows now.
        assert (await first.take(places, "b")).refused is None
        assert (await first.take(places, "c")).refused == 0
        assert first.away
        assert (await second.take(places, "d")).refused is None
        await first.settle(places, "a", 0)
        await first.settle(places, "b", 0)
        await server.start()
        async with asyncio.timeout(HANG):
            while first.away or second.away:
                await asyncio.sleep(0.05)
        assert (await first.take(places, "e")).refused is None
        assert (await second.take(places, "f")).refused is None
        assert (await first.take(places, "g")).refused == 0
    told = [event for _, event, _ in log.lines]
    assert told == ["limits_counted_alone", "limits_counted_together"]


async def test_a_server_that_does_not_answer_holds_up_one_request_for_a_moment_and_then_nobody(server):
    one = [cell("rpm", 1000)]
    async with workers(server, patience=0.2) as ((counters,), _):
        server.freeze()
        try:
            async with asyncio.timeout(HANG):
                assert (await counters.take(one, "a")).refused is None
                assert counters.away
                # A thousand that waited so long each would hang.
                for number in range(990):
                    assert (await counters.take(one, str(number))).refused is None
        finally:
            server.thaw()
        async with asyncio.timeout(HANG):
            while counters.away:
                await asyncio.sleep(0.05)


async def test_a_gateway_starts_without_the_server(server):
    server.stop()
    async with workers(server) as ((counters,), _):
        assert counters.away
        assert (await counters.take([cell("rpm", 1)], "a")).refused is None
