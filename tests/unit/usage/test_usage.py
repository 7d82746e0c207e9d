"""Usage records and their way to the sinks."""

import asyncio
import logging

import msgspec

from gateway.domain import Attempt, Exchange, Model, Outcome, Principal, Route
from gateway.events import Answer, End, Finish, Text, Usage
from gateway.requests import ChatRequest
from gateway.usage import UsageDispatcher, usage_record


class Log:
    def __init__(self) -> None:
        self.events: list[tuple[str, dict]] = []

    def error(self, event: str, **fields) -> None:
        self.events.append((event, fields))


def settled(outcome: Outcome, *events, messages: bytes = b'[{"role":"user","content":"hi"}]') -> Attempt:
    exchange = Exchange("e1", "test")
    exchange.principal = Principal("key:1", owner="o")
    exchange.request = ChatRequest(dialect="chat", model="m", stream=True, fields={"messages": msgspec.Raw(messages)})
    model = Model(id="id", name="name", model_id="m", base_url="http://a")
    exchange.route = Route.of(model)
    attempt = Attempt(exchange, model, 1)
    attempt.outcome = outcome
    if events:
        attempt.answer = Answer()
        for event in events:
            attempt.answer.note(event)
    return attempt


def test_what_the_upstream_reported_is_recorded_as_reported():
    record = usage_record(settled(Outcome.OK, Text("a"), Finish("stop"), Usage(7, 3, cache_read=2), End()))
    assert (record.provenance, record.input_tokens, record.output_tokens, record.cache_read_tokens) == (
        "reported",
        7,
        3,
        2,
    )
    assert record.cache_write_tokens is None
    assert (record.finish_reason, record.deltas, record.owner, record.route) == ("stop", 1, "o", "name")


def test_usage_of_a_stream_that_broke_is_partial():
    assert usage_record(settled(Outcome.TRUNCATED, Text("a"), Usage(7, 1))).provenance == "partial"


def test_a_client_that_left_is_estimated_and_marked_so():
    record = usage_record(settled(Outcome.CLIENT_ABORT, Text("a"), Text("b")))
    assert (record.provenance, record.output_tokens, record.input_tokens) == ("estimated", 2, 8)


def test_an_attempt_that_brought_nothing_records_nothing():
    record = usage_record(settled(Outcome.UPSTREAM_ERROR))
    assert (record.provenance, record.input_tokens, record.output_tokens) == ("none", None, None)


class Sink:
    def __init__(self, fails: bool = False) -> None:
        self.batches: list[list[str]] = []
        self.fails = fails

    async def write(self, records) -> None:
        if self.fails:
            raise ConnectionError("sink is down")
        self.batches.append([record.attempt_id for record in records])


async def test_every_sink_gets_every_record_in_order_though_one_fails():
    log, broken, good = Log(), Sink(fails=True), Sink()
    dispatcher = UsageDispatcher([("broken", broken), ("good", good)], log)
    sent = []
    for number in range(1200):
        record = msgspec.structs.replace(usage_record(settled(Outcome.OK)), attempt_id=f"a{number}")
        sent.append(record.attempt_id)
        dispatcher.take(record)
    await dispatcher.aclose()
    assert [attempt for batch in good.batches for attempt in batch] == sent
    assert max(map(len, good.batches)) == 500
    assert {event for event, _ in log.events} == {"usage_sink_failed"}
    assert log.events[0][1]["plugin"] == "broken"


async def test_records_are_carried_while_nobody_waits_for_them():
    sink = Sink()
    dispatcher = UsageDispatcher([("sink", sink)], logging.getLogger("test"))
    dispatcher.take(usage_record(settled(Outcome.OK)))
    async with asyncio.timeout(10):
        while not sink.batches:
            await asyncio.sleep(0.01)
    await dispatcher.aclose()
