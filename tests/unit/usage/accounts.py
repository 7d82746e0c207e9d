"""Attempts, records of them, and sinks that do as they are told."""

import asyncio

from gateway.domain import Attempt, Exchange, Model, Outcome, Principal, Route
from gateway.usage import usage_record

HANG = 30


def attempt(number: int) -> Attempt:
    """One that is about to dial."""
    exchange = Exchange(f"e{number}", "test")
    exchange.principal = Principal("key:1", owner="o")
    model = Model(id="id", name="name", model_id="m", base_url="http://a")
    exchange.route = Route.of(model)
    return Attempt(exchange, model, 1)


def ended(one: Attempt):
    """The record of one that went well."""
    one.outcome = Outcome.OK
    return usage_record(one)


class Sink:
    """Keeps what it is given; fails as long as `broken` says why."""

    def __init__(self, broken: Exception | None = None) -> None:
        self.broken = broken
        self.asked = 0
        self.records = []

    async def write(self, records) -> None:
        self.asked += 1
        if self.broken is not None:
            raise self.broken
        self.records += records

    @property
    def ids(self) -> list[str]:
        return [record.attempt_id for record in self.records]

    async def has(self, count: int) -> None:
        """Wait until it has so many."""
        async with asyncio.timeout(HANG):
            while len(self.records) < count:
                await asyncio.sleep(0.01)


class Log:
    def __init__(self) -> None:
        self.events: list[tuple[str, dict]] = []

    def log(self, level: int, event: str, **fields) -> None:
        self.events.append((event, fields))

    def info(self, event: str, **fields) -> None:
        self.events.append((event, fields))

    debug = warning = error = info

    def names(self) -> set[str]:
        return {event for event, _ in self.events}
