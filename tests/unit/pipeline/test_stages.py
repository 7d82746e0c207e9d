"""Limiters, strategies, transforms and observers: when they fire, and what happens when they fail."""

import asyncio

import msgspec
import pytest

from gateway import GatewayError, RateLimited
from gateway.domain import Outcome, Route
from gateway.events import End, Failure, Finish, Text
from gateway.runtime.faults import PATIENCE
from gateway.terms import Condition, Terms
from gateway.testing import faults
from gateway.testing.upstream import Ending, chat_events, reply, stream

HANG = 30


def ok(*texts: str):
    return stream(*chat_events(*texts), pause=0)


class Limiter:
    def __init__(self, refuses: Exception | None = None) -> None:
        self.refuses = refuses
        self.acquired: list[str] = []
        self.settled: list[Outcome] = []
        self.told = asyncio.Event()

    async def acquire(self, exchange) -> None:
        if self.refuses is not None:
            raise self.refuses
        self.acquired.append(exchange.route.name)

    async def settle(self, exchange) -> None:
        self.settled.append(exchange.outcome)
        self.told.set()


async def test_a_limiter_hears_of_every_end_exactly_once(open_house):
    limiter = Limiter()
    async with open_house(limiters=[limiter]) as house:
        house.model("good", ok("x"))
        house.model("bad", reply(400, b"no"))
        house.model("cut", faults.close_midstream("a"))
        house.model("left", faults.stall_midstream("a"))
        for name in ("good", "bad", "cut"):
            await house.ask(name)
        exchange = await house.begin("left")
        await exchange.head()
        await exchange.leave()
        async with asyncio.timeout(HANG):
            while len(limiter.settled) < 4:
                await asyncio.sleep(0.01)
        assert limiter.acquired == ["good", "bad", "cut", "left"]
        assert limiter.settled == [Outcome.OK, Outcome.UPSTREAM_ERROR, Outcome.TRUNCATED, Outcome.CLIENT_ABORT]


async def test_a_refusal_is_the_answer_and_only_those_who_let_it_in_are_told(open_house):
    first, second, third = Limiter(), Limiter(RateLimited("slow down", retry_after=3)), Limiter()
    async with open_house(limiters=[first, second, third]) as house:
        house.model("m", ok("x"))
        response = await house.ask("m")
        assert (response.status, response.body) == (429, b"rate_limit_exceeded: slow down")
        await asyncio.wait_for(first.told.wait(), HANG)
        assert (first.settled, second.settled, third.acquired) == ([Outcome.REJECTED], [], [])
        assert house.upstream.seen("m") == []


async def test_a_limiter_that_fails_refuses(open_house):
    async with open_house(limiters=[Limiter(ZeroDivisionError("canary"))]) as house:
        house.model("m", ok("x"))
        response = await house.ask("m")
        assert (response.status, response.body) == (503, b'plugin_error: The plugin "limiters" failed.')
        assert house.upstream.seen("m") == []


class Changer:
    def __init__(self, change=None, **attributes) -> None:
        self.change = change
        for name, value in attributes.items():
            setattr(self, name, value)

    async def transform(self, request, exchange):
        return self.change(request)


def broken(request):
    raise ZeroDivisionError("canary")


async def test_request_transforms_change_what_is_sent_one_after_the_other(open_house):
    first = Changer(lambda request: request.with_fields(top_p=msgspec.Raw(b"0.1")))
    second = Changer(lambda request: request.with_fields(top_p=None, seed=msgspec.Raw(b"7")))
    async with open_house(request_transforms=[first, second]) as house:
        house.model("m", ok("x"))
        await house.ask("m")
        sent = house.upstream.seen("m")[0].request.json()
        assert "top_p" not in sent
        assert sent["seed"] == 7


@pytest.mark.parametrize(
    ("attributes", "status"),
    [({}, 503), ({"on_error": "fail"}, 503), ({"on_error": "skip"}, 200), ({"on_error": "skip", "guard": True}, 503)],
)
async def test_a_request_transform_that_fails_follows_its_rule(open_house, attributes, status):
    async with open_house(request_transforms=[Changer(broken, **attributes)]) as house:
        house.model("m", ok("x"))
        response = await house.ask("m")
        assert response.status == status
        assert b"canary" not in response.body
        assert bool(house.upstream.seen("m")) == (status == 200)


async def test_a_transform_may_refuse_in_its_own_words(open_house):
    def refuse(request):
        raise GatewayError("not this prompt", status=451)

    async with open_house(request_transforms=[Changer(refuse)]) as house:
        house.model("m", ok("x"))
        assert (await house.ask("m")).status == 451


async def test_a_skipped_transform_that_keeps_failing_is_quarantined(open_house):
    calls = []

    def fails(request):
        calls.append(1)
        raise ZeroDivisionError

    async with open_house(request_transforms=[Changer(fails, on_error="skip")]) as house:
        house.model("m", ok("x"))
        for _ in range(PATIENCE + 3):
            assert (await house.ask("m")).status == 200
        assert len(calls) == PATIENCE
        (fault,) = house.pipeline.faults.report()
        assert (fault.plugin, fault.stage, fault.quarantined) == ("request_transforms", "request_transforms", True)


class Backwards:
    name = "backwards"

    def order(self, route, request, health):
        return list(reversed(route.targets))


async def test_a_route_names_its_strategy(open_house):
    async with open_house(strategies=[Backwards()]) as house:
        house.route(
            "both", house.model("first", ok("first")), house.model("second", ok("second")), strategy="backwards"
        )
        assert (await house.ask("both")).body == b"second"
        assert house.upstream.seen("first") == []


class ByHeader:
    name = "by_header"

    def order(self, route, request, health, exchange=None):
        return [model for model in route.targets if exchange is not None and exchange.header("x-want") == model.name]


async def test_a_strategy_that_asks_for_the_exchange_is_given_it(open_house):
    async with open_house(strategies=[ByHeader()]) as house:
        house.route("both", *(house.model(name, ok(name)) for name in ("first", "second")), strategy="by_header")
        asked = await house.client.request("POST", "/", headers=(("X-Want", "second"),), body=b"both")
        assert asked.body == b"second"
        assert (await house.ask("both")).status == 503


async def test_a_strategy_orders_each_priority_by_itself(open_house):
    async with open_house(strategies=[Backwards()]) as house:
        answers = {"a": ok("a"), "b": ok("b"), "c": reply(500, b"no"), "d": reply(500, b"no")}
        models = [house.model(name, answer) for name, answer in answers.items()]
        terms = {"a": Terms(priority=1), "b": Terms(priority=1)}
        house.names.routes["all"] = Route("all", tuple(models), "backwards", terms=terms)
        assert (await house.ask("all")).body == b"b"
        assert [record.model_name for record in await house.settled(3)] == ["d", "c", "b"]


async def test_a_lower_priority_goes_before_what_cools_down(open_house):
    async with open_house() as house:
        first, second = house.model("first", reply(401, b"no")), house.model("second", ok("second"))
        house.names.routes["both"] = Route("both", (second, first), terms={"second": Terms(priority=1)})
        assert (await house.ask("first")).status == 401
        assert (await house.ask("both")).body == b"second"
        assert len(house.upstream.seen("first")) == 1


async def test_a_request_that_no_target_takes_is_told(open_house):
    async with open_house() as house:
        only = house.model("only", ok("x"))
        terms = {"only": Terms(when=(Condition("tag", "big"),))}
        house.names.routes["tagged"] = Route("tagged", (only,), terms=terms)
        refused = await house.ask("tagged")
        assert (refused.status, refused.body) == (
            404,
            b'model_not_found: No model of "tagged" takes a request like this one.',
        )
        taken = await house.client.request("POST", "/", headers=(("X-Gateway-Tags", "big"),), body=b"tagged")
        assert taken.body == b"x"


async def test_a_strategy_nobody_provides_is_told(open_house):
    async with open_house() as house:
        house.route("both", house.model("first", ok("first")), strategy="best")
        response = await house.ask("both")
        assert (response.status, response.body) == (
            503,
            b'plugin_error: No enabled plugin provides the strategy "best".',
        )


class Stream:
    def __init__(self, step, **attributes) -> None:
        self.step = step
        for name, value in attributes.items():
            setattr(self, name, value)

    def start(self, exchange):
        return self.step() if isinstance(self.step, type) else self.step


def shout(events):
    return [msgspec.structs.replace(e, text=e.text.upper()) if isinstance(e, Text) else e for e in events]


async def slowly(events):
    await asyncio.sleep(0)
    return shout(events)


class Hold:
    """Holds all text back until the answer ends."""

    def __init__(self) -> None:
        self.text = ""

    def __call__(self, events):
        out = []
        for event in events:
            if isinstance(event, Text):
                self.text += event.text
                continue
            if isinstance(event, Finish | End | Failure) and self.text:
                out.append(Text(self.text))
                self.text = ""
            out.append(event)
        return out


@pytest.mark.parametrize("step", [shout, slowly])
async def test_steps_change_the_text_and_every_stream_still_ends_as_it_did(open_house, step):
    async with open_house(stream_transforms=[Stream(step)]) as house:
        house.model("good", ok("a", "b"))
        house.model("cut", faults.close_midstream("a", "b"))
        house.model("bad", reply(404, b"no"))
        good, cut = await house.ask("good"), await house.ask("cut")
        assert (good.body, good.complete) == (b"AB", True)
        assert (cut.body, cut.complete) == (b"AB", False)
        assert (await house.ask("bad")).status == 404


async def test_text_a_step_holds_back_comes_out_at_the_end_in_every_case(open_house):
    async with open_house(stream_transforms=[Stream(Hold)]) as house:
        house.model("good", ok("a", "b"))
        house.model("cut", faults.close_midstream("a", "b"))
        assert (await house.ask("good")).body == b"ab"
        cut = await house.ask("cut")
        assert (cut.body, cut.complete) == (b"ab", False)


async def test_a_step_cannot_drop_the_end_of_an_answer(open_house):
    async with open_house(tells=True, stream_transforms=[Stream(lambda events: [])]) as house:
        house.model("good", ok("a"))
        house.model("cut", faults.close_midstream("a"))
        good, cut = await house.ask("good"), await house.ask("cut")
        assert (good.status, good.body, good.complete) == (200, b"", True)
        assert cut.status == 502


def fails(events):
    raise ZeroDivisionError("canary")


async def fails_slowly(events):
    raise ZeroDivisionError("canary")


@pytest.mark.parametrize("step", [fails, fails_slowly])
async def test_a_step_that_fails_ends_the_answer_visibly_or_is_skipped(open_house, step):
    async with open_house(stream_transforms=[Stream(step)]) as house:
        house.model("m", ok("a"))
        response = await house.ask("m")
        assert response.status == 503
        assert b"canary" not in response.body
    async with open_house(stream_transforms=[Stream(step, on_error="skip"), Stream(shout)]) as house:
        house.model("m", ok("a", "b"))
        assert (await house.ask("m")).body == b"AB"


async def test_a_client_that_leaves_while_a_step_waits_closes_the_upstream(open_house):
    waiting = asyncio.Event()

    async def never(events):
        waiting.set()
        await asyncio.Event().wait()

    async with open_house(stream_transforms=[Stream(never)]) as house:
        house.model("m", stream(*chat_events("a", finish=None), ending=Ending.HOLD))
        exchange = await house.begin("m")
        await asyncio.wait_for(waiting.wait(), HANG)
        await exchange.leave()
        await asyncio.wait_for(house.upstream.seen("m")[0].closed(), HANG)
        (record,) = await house.settled()
        assert record.outcome is Outcome.CLIENT_ABORT


class Layer:
    """A plugin that does something in every stage that has two ways, and says so."""

    def __init__(self, name: str, said: list[str], error: Exception | None = None) -> None:
        self.name = name
        self.said = said
        self.error = error

    async def acquire(self, exchange):
        self.said.append(f"{self.name} acquires")

    async def settle(self, exchange):
        self.said.append(f"{self.name} settles")

    async def transform(self, request, exchange):
        self.said.append(f"{self.name} asks")
        return request

    def start(self, exchange):
        return self.step

    def step(self, events):
        if any(isinstance(event, Text) for event in events):
            self.said.append(f"{self.name} answers")
            if self.error is not None:
                raise self.error
        if any(isinstance(event, Failure) for event in events):
            self.said.append(f"{self.name} sees the failure")
        return events


async def test_requests_go_down_and_answers_come_back_up(open_house):
    said: list[str] = []
    layers = [Layer(name, said) for name in ("outer", "middle", "inner")]
    async with open_house(limiters=layers, request_transforms=layers, stream_transforms=layers) as house:
        house.model("m", ok("a"))
        assert (await house.ask("m")).body == b"a"
        await house.pipeline.drained(HANG)
        await house.pipeline.aclose()
    down, up = ("outer", "middle", "inner"), ("inner", "middle", "outer")
    assert said == [
        *(f"{name} acquires" for name in down),
        *(f"{name} asks" for name in down),
        *(f"{name} answers" for name in up),
        *(f"{name} settles" for name in up),
    ]


class Notebook:
    """Keeps in one stage what it needs in another."""

    async def transform(self, request, exchange):
        exchange.state["notebook"] = request.model
        return request

    def start(self, exchange):
        asked = exchange.state["notebook"]
        return lambda events: [
            msgspec.structs.replace(event, text=asked) if isinstance(event, Text) else event for event in events
        ]


async def test_a_plugin_keeps_what_it_needs_for_an_exchange_with_the_exchange(open_house):
    notebook = Notebook()
    async with open_house(request_transforms=[notebook], stream_transforms=[notebook]) as house:
        house.model("one", ok("a"))
        house.model("two", ok("b"))
        assert [(await house.ask(name)).body for name in ("one", "two")] == [b"one", b"two"]


async def test_the_steps_around_one_that_fails_hear_of_it_and_those_inside_do_not(open_house):
    said: list[str] = []
    layers = [Layer("outer", said), Layer("middle", said, ZeroDivisionError()), Layer("inner", said)]
    async with open_house(stream_transforms=layers) as house:
        house.model("m", ok("a"))
        response = await house.ask("m")
    assert (response.status, response.body) == (503, b'plugin_error: The plugin "stream_transforms" failed.')
    assert said == ["inner answers", "middle answers", "outer sees the failure"]
