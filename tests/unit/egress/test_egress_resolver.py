"""Names are asked for once at a time, and a failure is remembered for a moment."""

import asyncio
import threading

import pytest

from gateway.egress import SystemResolver


async def test_all_who_wait_for_one_name_share_one_lookup() -> None:
    asked = []

    def lookup(host: str) -> list[str]:
        asked.append(host)
        return ["192.0.2.1"]

    resolver = SystemResolver(lookup)
    answers = await asyncio.gather(*(resolver.resolve("a.test") for _ in range(50)))
    assert answers == [["192.0.2.1"]] * 50
    assert asked == ["a.test"]


@pytest.mark.parametrize(("seconds", "lookups"), [(60.0, 1), (0.0, 3)])
async def test_a_failure_is_remembered_for_its_time(seconds: float, lookups: int) -> None:
    asked = []

    def lookup(host: str) -> list[str]:
        asked.append(host)
        raise OSError("no such host")

    resolver = SystemResolver(lookup, remember_failure=seconds)
    for _ in range(3):
        with pytest.raises(OSError, match=r"a\.test"):
            await resolver.resolve("a.test")
    assert len(asked) == lookups


async def test_more_hanging_names_than_threads_fail_at_once() -> None:
    release = threading.Event()

    def lookup(host: str) -> list[str]:
        release.wait(30)
        return []

    resolver = SystemResolver(lookup, threads=2)
    waiting = [asyncio.create_task(resolver.resolve(f"{n}.test")) for n in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(OSError, match="too many"):
        await resolver.resolve("third.test")
    release.set()
    await asyncio.gather(*waiting)


@pytest.mark.parametrize("host", ["a" * 64 + ".test", "x." * 200 + "test", "..", "xn--a.test"])
async def test_names_that_no_resolver_can_hold_fail_as_unknown_ones(host: str) -> None:
    with pytest.raises(OSError, match="no address"):
        await SystemResolver().resolve(host)


async def test_the_systems_resolver_knows_this_machine() -> None:
    assert {"127.0.0.1", "::1"} & set(await SystemResolver().resolve("localhost"))
