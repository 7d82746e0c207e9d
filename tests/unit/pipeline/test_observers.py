"""Observers: what they are told, and that nothing they do changes an answer; and who is shown where the time went."""

import msgspec
import pytest

from gateway import OBSERVED, Principal
from gateway.events import End, Failure, Finish, Start, Text, Usage
from gateway.runtime.faults import PATIENCE
from gateway.testing import faults
from gateway.testing.upstream import chat_events, reply, stream

HANG = 30


def ok(*texts: str):
    return stream(*chat_events(*texts), pause=0)


class Limiter:
    async def acquire(self, exchange) -> None: ...

    async def settle(self, exchange) -> None: ...


class Stream:
    def __init__(self, step) -> None:
        self.step = step

    def start(self, exchange):
        return self.step


def shout(events):
    return [msgspec.structs.replace(e, text=e.text.upper()) if isinstance(e, Text) else e for e in events]


class Observer:
    def __init__(self, wants=None, error: Exception | None = None) -> None:
        self.events: list = []
        self.error = error
        if wants is not None:
            self.wants = wants

    def start(self, exchange):
        return self.look

    def look(self, events) -> None:
        if self.error is not None:
            raise self.error
        self.events.extend(events)


async def test_observers_see_what_they_want_of_what_the_client_gets(open_house):
    default, all_text = Observer(), Observer(frozenset({Text}))
    async with open_house(stream_transforms=[Stream(shout)], stream_observers=[default, all_text]) as house:
        house.model("m", ok("a", "b"))
        await house.ask("m")
        assert [event.text for event in all_text.events] == ["A", "B"]
        assert {type(event) for event in default.events} <= OBSERVED
        assert [type(event) for event in default.events][-2:] == [Finish, End]


@pytest.mark.parametrize("fault", [faults.close_midstream, faults.end_without_finish])
async def test_observers_are_told_of_every_failure_once(open_house, fault):
    observer = Observer()
    async with open_house(stream_observers=[observer]) as house:
        house.model("m", fault("a"))
        await house.ask("m")
        assert [type(event) for event in observer.events if not isinstance(event, Start | Usage)] == [Failure]


async def test_an_observer_that_fails_changes_nothing_and_is_quarantined(open_house):
    observer = Observer(error=ZeroDivisionError("canary"))
    async with open_house(stream_observers=[observer]) as house:
        house.model("m", ok("a"))
        for _ in range(PATIENCE):
            response = await house.ask("m")
            assert (response.body, response.complete) == (b"a", True)
        assert [fault.quarantined for fault in house.pipeline.faults.report()] == [True]


async def test_an_observer_whose_callback_is_async_is_a_fault_and_changes_nothing(open_house):
    async def look(events): ...

    async with open_house(stream_observers=[Stream(look)]) as house:
        house.model("m", ok("a"))
        response = await house.ask("m")
        assert (response.body, response.complete) == (b"a", True)
        assert [fault.failures for fault in house.pipeline.faults.report()] == [1]


class Admin:
    async def authenticate(self, credentials):
        return Principal("admin", scopes=frozenset({"chat", "admin"}), unrestricted=True)


async def test_who_may_see_topology_is_told_where_the_time_went(open_house):
    async with open_house(limiters=[Limiter()]) as house:
        house.model("m", ok("x"))
        assert (await house.ask("m")).header("server-timing") is None
    async with open_house(authenticators=[Admin()], limiters=[Limiter()]) as house:
        house.model("m", ok("x"))
        house.model("bad", reply(400, b"no"))
        timing = (await house.ask("m")).header("server-timing")
        names = [entry.partition(";")[0] for entry in timing.split(", ")]
        assert names == ["authenticators.auth", "model_lookups.lookup", "limiters.limiters", "upstream", "total"]
        assert "total;dur=" in (await house.ask("bad")).header("server-timing")


class Milestones:
    def __init__(self) -> None:
        self.seen: list[tuple[str, bool]] = []

    def start(self, exchange):
        self.seen.append(("start", exchange.attempts[-1].first_content is not None))

    def first_content(self, exchange):
        self.seen.append(("first content", exchange.attempts[-1].first_content is not None))

    def settled(self, exchange, records):
        self.seen.append(("settled", exchange.attempts[-1].first_content is not None))


async def test_observers_hear_of_the_start_the_first_content_and_the_end(open_house):
    observer = Milestones()
    async with open_house(stream_observers=[observer]) as house:
        house.model("m", ok("a", "b", "c"))
        house.model("bad", reply(400, b"no"))
        house.model("empty", reply(200, b"<html>"))
        await house.ask("m")
        assert observer.seen == [("start", False), ("first content", True), ("settled", True)]
        observer.seen.clear()
        await house.ask("bad")
        assert observer.seen == [("settled", False)]
        observer.seen.clear()
        await house.ask("empty")
        assert ("first content", True) not in observer.seen


async def test_an_observer_that_fails_at_the_first_content_changes_nothing(open_house):
    observer = Milestones()
    observer.first_content = lambda exchange: 1 / 0  # type: ignore[method-assign]
    async with open_house(stream_observers=[observer]) as house:
        house.model("m", ok("a", "b"))
        assert (await house.ask("m")).body == b"ab"
