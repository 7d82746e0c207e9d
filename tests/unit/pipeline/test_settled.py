"""Observers with a `settled` hear of every exchange once, with all that is known of it."""

from typing import Any

import pytest

from gateway.domain import Principal
from gateway.errors import RateLimited
from gateway.runtime import Generation, Registered
from gateway.testing.bench import Bench
from gateway.testing.upstream import Behaviour, Ending, chat_events, reply, stream


class Counts:
    """Only wants to know how it ended."""

    def __init__(self) -> None:
        self.heard: list[tuple[Any, ...]] = []

    def start(self, exchange: Any) -> None:
        return None

    def settled(self, exchange: Any, records: Any) -> None:
        self.heard.append((exchange.outcome.value, exchange.status, [record.outcome.value for record in records]))


class Raises(Counts):
    def settled(self, exchange: Any, records: Any) -> None:
        raise ValueError("no")


class Refuses:
    async def acquire(self, exchange: Any) -> None:
        raise RateLimited("later")

    async def settle(self, exchange: Any) -> None: ...


def house(*observers: Any, limiters: tuple[Any, ...] = ()) -> Bench:
    generation = Generation(
        number=1,
        stream_observers=tuple(Registered(f"observer{number}", one) for number, one in enumerate(observers)),
        limiters=tuple(Registered("limiter", one) for one in limiters),
    )
    return Bench(lambda gateway: generation)


async def test_success_and_an_upstreams_error_are_told_once_each() -> None:
    counts = Counts()
    async with house(counts) as bench:
        bench.model("good", stream(*chat_events("a", "b"), pause=0))
        bench.model("bad", reply(400, b"no"))
        await bench.ask("good")
        await bench.ask("bad")
    assert counts.heard == [("ok", 200, ["ok"]), ("upstream_error", 400, ["upstream_error"])]


async def test_what_was_refused_before_any_attempt_is_told_too() -> None:
    counts = Counts()
    async with house(counts, limiters=(Refuses(),)) as bench:
        bench.model("m", stream(*chat_events("a"), pause=0))
        await bench.ask("m")
        await bench.ask("nobody-knows-it")
    assert counts.heard == [("rejected", 429, []), ("rejected", 404, [])]


async def test_a_client_that_left_before_the_status_line_got_none() -> None:
    counts = Counts()
    async with house(counts) as bench:
        bench.model("m", Behaviour(status=None, ending=Ending.HOLD))
        asked = bench.begin("m", principal=Principal("kit", unrestricted=True))
        await bench.upstream.wait_for("m")
        asked.leave()
        assert await asked.ended()
    assert counts.heard == [("client_abort", None, ["client_abort"])]


async def test_one_that_raises_is_counted_and_keeps_nobody_else_from_hearing() -> None:
    counts = Counts()
    async with house(Raises(), counts) as bench:
        bench.model("good", stream(*chat_events("a"), pause=0))
        asked = await bench.ask("good")
        (fault,) = bench.pipeline.faults.report()
    assert asked.problem == ""
    assert (fault.plugin, fault.stage, fault.failures) == ("observer0", "stream_observers", 1)
    assert counts.heard == [("ok", 200, ["ok"])]


class Keeps(Counts):
    """Keeps attempts for later, without their exchange."""

    def __init__(self) -> None:
        super().__init__()
        self.attempts: list[Any] = []

    def settled(self, exchange: Any, records: Any) -> None:
        self.attempts += exchange.attempts


async def test_an_attempt_that_outlives_its_exchange_says_what_to_keep_instead() -> None:
    keeps = Keeps()
    async with house(keeps) as bench:
        bench.model("m", stream(*chat_events("a"), pause=0))
        await bench.ask("m")
    (attempt,) = keeps.attempts
    assert attempt.outcome.value == "ok"
    with pytest.raises(RuntimeError, match=r"This exchange is over.*Keep the exchange itself"):
        attempt.exchange.principal  # noqa: B018
