"""A new generation takes over; the old one is closed when its last exchange ends."""

import asyncio
from contextlib import asynccontextmanager
from typing import Any

import pytest

from gateway.runtime import Generations, PluginLoadError
from gateway.runtime.generation import Generation, Registered


def generation(number: int, seen: list[str], *, fails: bool = False) -> Generation:
    @asynccontextmanager
    async def life() -> Any:
        if fails:
            raise OSError("no")
        seen.append(f"+{number}")
        yield
        seen.append(f"-{number}")

    return Generation(number=number, lifespans=(Registered("acme", life()),))


async def settled() -> None:
    """Let the tasks that are ready run."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_a_published_generation_is_open_and_current() -> None:
    seen: list[str] = []
    generations = Generations()
    await generations.publish(generation(1, seen))
    assert (generations.current.number, seen) == (1, ["+1"])
    await generations.aclose()
    assert seen == ["+1", "-1"]


async def test_an_old_generation_is_closed_when_its_last_exchange_ends() -> None:
    seen: list[str] = []
    generations = Generations()
    await generations.publish(generation(1, seen))
    first, second = generations.pin(), generations.pin()
    await generations.publish(generation(2, seen))
    assert generations.pin().number == 2
    generations.release(first)
    await settled()
    assert seen == ["+1", "+2"]
    generations.release(second)
    await settled()
    assert seen == ["+1", "+2", "-1"]
    generations.release(generations.current)
    await generations.aclose()
    assert seen == ["+1", "+2", "-1", "-2"]


async def test_one_that_cannot_be_opened_leaves_the_old_one_serving() -> None:
    seen: list[str] = []
    generations = Generations()
    await generations.publish(generation(1, seen))
    with pytest.raises(PluginLoadError, match="its lifespan failed to start: no"):
        await generations.publish(generation(2, seen, fails=True))
    assert generations.current.number == 1
    await generations.publish(generation(2, seen))
    await generations.aclose()
    assert seen == ["+1", "+2", "-1", "-2"]


async def test_closing_waits_for_exchanges() -> None:
    seen: list[str] = []
    generations = Generations()
    await generations.publish(generation(1, seen))
    pinned = generations.pin()
    closing = asyncio.create_task(generations.aclose())
    await settled()
    assert not closing.done()
    generations.release(pinned)
    await closing
    assert seen == ["+1", "-1"]


async def test_nothing_serves_before_the_first_is_published() -> None:
    with pytest.raises(RuntimeError, match="no generation is published"):
        Generations().pin()


async def test_a_request_keeps_a_generation_open_and_is_no_exchange() -> None:
    seen: list[str] = []
    generations = Generations()
    await generations.publish(generation(1, seen))
    held = generations.hold()
    await generations.publish(generation(2, seen))
    await settled()
    assert (seen, generations.draining()) == (["+1", "+2"], [(1, 0)])
    generations.let_go(held)
    await settled()
    assert (seen, generations.draining(), generations.closed) == (["+1", "+2", "-1"], [], 1)
    await generations.aclose()


async def test_one_that_is_discarded_is_closed_and_never_serves() -> None:
    seen: list[str] = []
    generations = Generations()
    await generations.publish(generation(1, seen))
    await generations.discard(await generations.open(generation(2, seen)))
    assert (seen, generations.current.number) == (["+1", "+2", "-2"], 1)
    await generations.publish(generation(2, seen))
    assert generations.current.number == 2
    await generations.aclose()


async def test_an_old_generation_that_fails_to_close_is_told_and_forgotten() -> None:
    @asynccontextmanager
    async def life() -> Any:
        yield
        raise OSError("disk full")

    told: list[tuple[int, str]] = []
    generations = Generations(lambda generation, error: told.append((generation.number, str(error))))
    await generations.publish(Generation(number=1, lifespans=(Registered("acme", life()),)))
    await generations.publish(generation(2, []))
    await settled()
    assert told == [(1, "plugin 'acme': its lifespan failed to stop: disk full")]
    assert (generations.draining(), generations.closed) == ([], 1)
    await generations.aclose()
