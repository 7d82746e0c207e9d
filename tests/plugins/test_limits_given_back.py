"""What a real Redis counted and nobody heard of is given back: the client had left, or the answer was late."""

import asyncio
from contextlib import asynccontextmanager, suppress

import pytest
from redis_server import Gate, RedisServer, program

from gateway.testing.standin import RecordingLog
from gateway_limits.connecting import shared_counters
from gateway_limits.counters import Cell
from gateway_limits.settings import Settings
from gateway_limits.shared import LEASE

HANG = LEASE / 2
"""A place that is kept is kept for longer."""
CELLS = [
    Cell("key:k:concurrent", "concurrent", 1, 1.0),
    Cell("key:k:rpm", "rpm", 2, 1.0),
    Cell("k:tpm", "tpm", 600, 300),
]
RATES = CELLS[1:]


@pytest.fixture
async def server(tmp_path):
    made = RedisServer(program(), tmp_path)
    await made.start()
    yield made
    made.stop()


@asynccontextmanager
async def counters(url, patience=5.0):
    """One process's counters, whose connection is open and whose scripts are known."""
    made = shared_counters(Settings(url=url, patience=patience), RecordingLog())
    async with made.running():
        warm = [Cell("warm:concurrent", "concurrent", 10, 1.0)]
        await made.take(warm, "warm")
        await made.settle(warm, "warm", 0)
        yield made


async def left(counting):
    """What is left of the rates, taking nothing of them."""
    return (await counting.take([cell._replace(need=0) for cell in RATES], "looks")).left


async def free(counting):
    """Return when the place can be had."""
    async with asyncio.timeout(HANG):
        while (await counting.take(CELLS[:1], "next")).refused is not None:
            await asyncio.sleep(0.02)


async def leaves(counting, gate, way):
    """Ask, and leave once that is on its way, or the answer is."""
    gate.keep(way)
    asked = asyncio.create_task(counting.take(CELLS, "left"))
    await asyncio.wait_for(gate.kept.wait(), HANG)
    asked.cancel()
    with suppress(asyncio.CancelledError):
        await asked
    assert asked.cancelled()


async def test_what_was_taken_for_a_client_that_has_left_is_given_back(server):
    async with Gate(server) as gate, counters(gate.url) as mine, counters(server.url) as others:
        gate.keep("answered")
        asked = asyncio.create_task(mine.take(CELLS, "left"))
        await asyncio.wait_for(gate.kept.wait(), HANG)
        assert (await others.take(CELLS[:1], "next")).refused == 0
        asked.cancel()
        await free(others)
        requests, tokens = await left(others)
        assert requests == 2
        assert tokens == 600
        assert asked.cancelled()


async def test_it_is_given_back_before_the_counters_are_closed(server):
    async with Gate(server) as gate, counters(server.url) as others:
        async with counters(gate.url) as mine:
            await leaves(mine, gate, "answered")
        assert (await others.take(CELLS, "next")).refused is None


async def test_what_the_server_hears_of_after_it_was_given_back_takes_nothing(server):
    async with Gate(server) as gate, counters(server.url) as others:
        async with counters(gate.url) as mine:
            await leaves(mine, gate, "asked")
        gate.answered.clear()
        gate.let_through()
        await asyncio.wait_for(gate.answered.wait(), HANG)
        taken = await others.take(CELLS, "next")
        assert (taken.refused, taken.left[0]) == (None, 0)


async def test_what_was_taken_and_answered_too_late_is_given_back_when_the_server_is(server):
    async with Gate(server) as gate, counters(gate.url, patience=0.3) as mine, counters(server.url) as others:
        gate.keep("answered")
        assert (await mine.take(CELLS, "late")).refused is None  # counted here
        assert mine.away
        await free(others)
        assert not mine.away
        await mine.settle(CELLS, "late", 0)


async def test_what_is_given_back_twice_comes_back_once(server):
    async with Gate(server) as gate, counters(server.url) as others:
        assert (await others.take(RATES, "stays")).refused is None
        async with counters(gate.url, patience=1) as mine:
            await leaves(mine, gate, "answered")
            # Nobody hears that it was given back: it is given back again.
            gate.keep("answered")
            await asyncio.wait_for(gate.kept.wait(), HANG)
        # It all comes back within a minute by itself: what is there now is what the other one left.
        requests, tokens = await left(others)
        assert requests < 2
        assert tokens < 600


async def test_what_was_refused_to_a_client_that_has_left_gives_nothing_back(server):
    async with Gate(server) as gate, counters(server.url) as others:
        assert (await others.take(CELLS, "stays")).refused is None
        async with counters(gate.url) as mine:
            await leaves(mine, gate, "answered")
        assert (await others.take(CELLS, "next")).refused == 0
        requests, tokens = await left(others)
        assert requests < 2
        assert tokens < 600
