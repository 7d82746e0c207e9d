"""One exchange through pipeline, server and egress, over real sockets."""

import asyncio

import pytest

from gateway import EventUpstream, LookupFailed, Principal, Timeouts, Unauthenticated, UpstreamError
from gateway.domain import Outcome
from gateway.events import End, Finish, Text
from gateway.testing import faults
from gateway.testing.upstream import Ending, chat_events, reply, stream

HANG = 30
OVERLOADED = reply(503, b'{"error":{"message":"overloaded"}}')


def ok(*texts: str):
    return stream(*chat_events(*texts), pause=0)


async def test_an_answer_streams_and_is_recorded_once(open_house):
    async with open_house() as house:
        house.model("m", ok("Hello", ", ", "world"))
        response = await house.ask("m")
        assert (response.status, response.body, response.complete) == (200, b"Hello, world", True)
        (record,) = await house.settled()
        assert (record.outcome, record.finish_reason, record.deltas) == (Outcome.OK, "stop", 3)
        assert house.upstream.seen("m")[0].request.json()["model"] == "m-id"


async def test_each_write_of_the_upstream_reaches_the_client_before_the_next_is_made(open_house):
    async with open_house() as house:
        house.model("m", stream(*chat_events("a", "b", finish=None), ending=Ending.HOLD))
        exchange = await house.begin("m")
        async with asyncio.timeout(HANG):
            await exchange.head()
            got = await exchange.chunk()
            while got != b"ab":
                got += await exchange.chunk()
        assert house.upstream.seen("m")[0].closed_at is None
        await exchange.leave()


async def test_the_status_line_waits_for_the_first_content(open_house):
    async with open_house() as house:
        house.model("m", stream(chat_events("x")[0], ending=Ending.HOLD), timeouts=Timeouts(first=0.3))
        response = await house.ask("m")
        assert (response.status, response.body) == (504, b"timeout: Request timed out.")
        (record,) = await house.settled()
        assert record.outcome is Outcome.UPSTREAM_ERROR
        await asyncio.wait_for(house.upstream.seen("m")[0].closed(), HANG)


@pytest.mark.parametrize("fault", [faults.reset_midstream, faults.close_midstream, faults.close_mid_chunk])
async def test_a_stream_that_breaks_is_cut_after_its_text(open_house, fault):
    async with open_house() as house:
        house.model("m", fault("par", "tial"))
        response = await house.ask("m")
        assert (response.status, response.body, response.complete) == (200, b"partial", False)
        (record,) = await house.settled()
        assert (record.outcome, record.error_code) == (Outcome.TRUNCATED, "upstream_disconnected")


async def test_a_dialect_that_can_tell_tells_and_ends_its_message(open_house):
    async with open_house(tells=True) as house:
        house.model("m", faults.end_without_finish("par", "tial"))
        response = await house.ask("m")
        assert (response.body, response.complete) == (b"partial!upstream_truncated", True)
        (record,) = await house.settled()
        assert record.outcome is Outcome.TRUNCATED


async def test_a_silent_upstream_is_given_up_after_the_idle_limit(open_house):
    async with open_house(tells=True) as house:
        house.model("m", faults.stall_midstream("so", " far"), timeouts=Timeouts(idle=0.3))
        response = await house.ask("m")
        assert response.body == b"so far!idle_timeout"
        await asyncio.wait_for(house.upstream.seen("m")[0].closed(), HANG)


async def test_the_total_limit_ends_a_stream_that_goes_on(open_house):
    async with open_house(tells=True) as house:
        endless = stream(*chat_events(*"x" * 2000, finish=None), pause=0.02)
        house.model("m", endless, timeouts=Timeouts(total=0.5))
        response = await house.ask("m")
        assert response.body.endswith(b"!deadline_exceeded")


async def test_an_upstream_that_goes_silent_after_its_finish_reason_has_ended_well(open_house):
    async with open_house() as house:
        events = chat_events("done")[:-1]
        house.model("m", stream(*events, ending=Ending.HOLD), timeouts=Timeouts(idle=0.2))
        response = await house.ask("m")
        assert (response.body, response.complete) == (b"done", True)


async def test_three_tries_in_all_and_the_last_answer_counts(open_house):
    async with open_house() as house:
        house.model("m", OVERLOADED)
        response = await house.ask("m")
        assert response.status == 503
        assert len(house.upstream.seen("m")) == 3
        records = await house.settled(3)
        assert [record.number for record in records] == [1, 2, 3]


async def test_a_try_that_succeeds_hides_the_one_that_failed(open_house):
    async with open_house() as house:
        house.model("m", OVERLOADED, ok("fine"))
        response = await house.ask("m")
        assert (response.status, response.body) == (200, b"fine")
        first, second = await house.settled(2)
        assert (first.outcome, second.outcome) == (Outcome.UPSTREAM_ERROR, Outcome.OK)


@pytest.mark.parametrize("fault", [faults.reset_before_head, faults.end_without_finish])
async def test_an_upstream_that_brings_no_content_is_tried_again(open_house, fault):
    async with open_house() as house:
        house.model("m", fault(), ok("fine"))
        assert (await house.ask("m")).body == b"fine"


async def test_a_clients_mistake_is_not_tried_again(open_house):
    async with open_house() as house:
        house.model("m", reply(400, b"no"))
        assert (await house.ask("m")).status == 400
        assert len(house.upstream.seen("m")) == 1


async def test_the_second_model_answers_when_the_first_is_down(open_house):
    async with open_house() as house:
        first, second = house.model("first", OVERLOADED), house.model("second", ok("second"))
        house.route("both", first, second)
        assert (await house.ask("both")).body == b"second"
        assert len(house.upstream.seen("first")) == 1
        assert house.upstream.seen("second")[0].request.json()["model"] == "second-id"


async def test_nothing_is_tried_again_once_content_went_out(open_house):
    async with open_house() as house:
        first, second = house.model("first", faults.reset_midstream("a")), house.model("second", ok("second"))
        house.route("both", first, second)
        response = await house.ask("both")
        assert (response.body, response.complete) == (b"a", False)
        assert house.upstream.seen("second") == []


async def test_a_long_retry_after_is_answered_at_once_and_binds_new_exchanges(open_house):
    async with open_house() as house:
        refused = reply(429, b"{}", {"retry-after": "30"})

        class Mapper:
            def map(self, error, attempt):
                if isinstance(error, UpstreamError) and error.status == 429:
                    error.retry_after = 30.0
                return

        async with open_house(mappers=[Mapper()]) as house:
            house.model("m", refused)
            assert (await house.ask("m")).status == 429
            assert (await house.ask("m")).status == 429
            assert len(house.upstream.seen("m")) == 1


async def test_a_slow_client_pauses_the_upstream_and_loses_nothing(open_house):
    text = "x" * 16384
    async with open_house() as house:
        house.model("m", stream(*chat_events(*[text] * 1000), pause=0))
        exchange = await house.begin("m")
        await exchange.head()
        await exchange.chunk()
        seen = house.upstream.seen("m")[0]
        async with asyncio.timeout(HANG):
            before = -1
            while seen.writes != before:  # the upstream stands still when every buffer on the way is full
                before = seen.writes
                await asyncio.sleep(0.3)
        assert seen.writes < 1000
        response = await exchange.finish()
        assert response.complete
        assert len(response.body) == 1000 * len(text)


@pytest.mark.parametrize("when", ["before the head", "before the first event", "in the middle"])
async def test_a_client_that_leaves_closes_the_upstream(open_house, when):
    behaviour = {
        "before the head": faults.stall_before_head(),
        "before the first event": faults.stall_before_first_event(),
        "in the middle": faults.stall_midstream("a"),
    }[when]
    async with open_house() as house:
        house.model("m", behaviour)
        exchange = await house.begin("m")
        seen = await asyncio.wait_for(house.upstream.wait_for("m"), HANG)
        if when == "in the middle":
            await exchange.head()
        await exchange.leave()
        await asyncio.wait_for(seen.closed(), HANG)
        (record,) = await house.settled()
        assert record.outcome is Outcome.CLIENT_ABORT
        assert house.pipeline.in_flight == 0


async def test_draining_refuses_new_exchanges_and_ends_the_running_visibly(open_house):
    async with open_house(tells=True) as house:
        house.model("m", faults.stall_midstream("so far"))
        house.model("waiting", faults.stall_before_head())
        running, waiting = await house.begin("m"), await house.begin("waiting")
        await running.head()
        await asyncio.wait_for(house.upstream.wait_for("waiting"), HANG)
        house.pipeline.drain()
        assert (await house.ask("m")).status == 503
        await house.pipeline.drained(0.2)
        assert (await running.finish()).body == b"so far!server_shutting_down"
        response = await waiting.finish()
        assert (response.status, response.body[:20]) == (503, b"server_shutting_down")
        assert {record.outcome for record in await house.settled(2)} == {Outcome.SHUTDOWN}


class Events:
    """A provider that speaks events."""

    name = "events"

    def __init__(self, *events, error: Exception | None = None) -> None:
        self._events = events
        self._error = error

    def connect(self, model):
        return self

    async def open(self, request, attempt):
        return EventUpstream(self._iterate())

    async def _iterate(self):
        for event in self._events:
            yield event
        if self._error is not None:
            raise self._error

    async def aclose(self) -> None:
        pass


async def test_a_provider_may_speak_events(open_house):
    provider = Events(Text("a"), Text("b"), Finish("stop"), End())
    async with open_house(providers=[provider]) as house:
        house.model("m", provider="events")
        response = await house.ask("m")
        assert (response.body, response.complete) == (b"ab", True)


async def test_events_that_just_stop_are_a_cut_stream(open_house):
    async with open_house(providers=[Events(Text("a"))]) as house:
        house.model("m", provider="events")
        response = await house.ask("m")
        assert (response.body, response.complete) == (b"a", False)


async def test_what_a_provider_raises_before_content_is_mapped(open_house):
    async with open_house(providers=[Events(error=UpstreamError(418, b"teapot"))]) as house:
        house.model("m", provider="events")
        assert (await house.ask("m")).status == 418


class Cancelling:
    """A provider, and a lookup, whose own task was cancelled by somebody: what it awaits raises that."""

    name = "cancelling"

    def __init__(self, where: str) -> None:
        self.where = where

    def connect(self, model):
        return self

    async def find(self, name, principal):
        await self.cancelled("lookup")

    async def open(self, request, attempt):
        await self.cancelled("open")
        return EventUpstream(self.events())

    async def events(self):
        await self.cancelled("events")
        yield Text("a")
        await self.cancelled("later")
        yield End()

    async def cancelled(self, where):
        if where == self.where:
            task = asyncio.create_task(asyncio.sleep(HANG))
            task.cancel()
            await task

    async def aclose(self):
        pass


@pytest.mark.parametrize(
    ("where", "status", "body"),
    [
        ("lookup", 500, b"lookup_failed: Model lookup failed."),
        ("open", 503, b'plugin_error: The provider "cancelling" failed.'),
        ("events", 503, b'plugin_error: The provider "cancelling" failed.'),
        ("later", 200, b"a!plugin_error"),
    ],
)
async def test_a_plugin_whose_own_task_was_cancelled_has_failed(open_house, where, status, body):
    plugin = Cancelling(where)
    async with open_house(tells=True, providers=[plugin], lookups=[plugin]) as house:
        house.model("m", provider="cancelling")
        async with asyncio.timeout(HANG):
            response = await house.ask("m")
        assert (response.status, response.body) == (status, body)


async def test_a_model_without_its_provider_is_told_so(open_house):
    async with open_house() as house:
        house.model("m", provider="nobody")
        response = await house.ask("m")
        assert (response.status, response.body) == (503, b'plugin_error: No enabled plugin provides "nobody".')


class Raising:
    """A plugin's object that raises whatever it is asked."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def find(self, name, principal):
        raise self._error

    async def authenticate(self, credentials):
        raise self._error

    def map(self, error, attempt):
        raise self._error


@pytest.mark.parametrize(
    ("error", "status"),
    [(LookupFailed("Model lookup failed."), 500), (ZeroDivisionError("canary"), 500)],
)
async def test_a_failing_lookup_says_so_and_nothing_else(open_house, error, status):
    async with open_house(lookups=[Raising(error)]) as house:
        house.model("m", ok("x"))
        response = await house.ask("m")
        assert (response.status, response.body) == (status, b"lookup_failed: Model lookup failed.")


async def test_a_failing_authenticator_refuses(open_house):
    async with open_house(authenticators=[Raising(ZeroDivisionError("canary"))]) as house:
        house.model("m", ok("x"))
        response = await house.ask("m")
        assert response.status == 503
        assert b"canary" not in response.body
        assert house.upstream.seen("m") == []


async def test_nobody_knows_the_caller(open_house):
    async with open_house(authenticators=[Raising(Unauthenticated("no"))]) as house:
        assert (await house.ask("m")).status == 401


async def test_a_failing_mapper_does_not_hide_the_error(open_house):
    async with open_house(mappers=[Raising(ZeroDivisionError("canary"))]) as house:
        house.model("m", reply(404, b"gone"))
        response = await house.ask("m")
        assert response.status == 404
        assert b"canary" not in response.body


async def test_the_core_checks_ownership_after_a_lookup_answered(open_house):
    class Stranger:
        async def authenticate(self, credentials):
            return Principal("stranger", owner="somebody else")

    async with open_house(authenticators=[Stranger()]) as house:
        house.model("m", ok("x"), owner="me")
        forbidden, unknown = await house.ask("m"), await house.ask("nothing")
        assert forbidden.status == unknown.status == 404
        assert forbidden.body == unknown.body
        assert house.upstream.seen("m") == []


async def test_a_body_over_the_limit_is_refused_before_it_is_read(open_house):
    async with open_house() as house:
        response = await house.client.request("POST", "/", body=b"x" * ((1 << 20) + 1))
        assert response.status == 413
