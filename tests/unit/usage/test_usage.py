"""Usage records and their way to the sinks."""

import msgspec
import pytest

from gateway.domain import Attempt, Exchange, Model, Outcome, Prices, Principal, Route
from gateway.events import Answer, End, Finish, Text, Usage
from gateway.requests import ChatRequest
from gateway.usage import usage_record


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


def test_what_was_read_to_its_end_without_its_client_is_reported():
    usage = Usage(7, 3)
    whole = usage_record(settled(Outcome.CLIENT_ABORT, Text("a"), Finish("stop"), usage, End()))
    cut = usage_record(settled(Outcome.CLIENT_ABORT, Text("a"), usage))
    assert (whole.provenance, cut.provenance) == ("reported", "partial")


@pytest.mark.parametrize(
    "fields",
    [
        {"input": b'"12345678901234567890"', "instructions": b'"12345678"'},
        {"system": b'"12345678"', "messages": b'["1234567890123456"]', "max_tokens": b"9"},
    ],
    ids=["responses", "messages"],
)
def test_the_prompt_of_every_dialect_is_estimated(fields):
    attempt = settled(Outcome.CLIENT_ABORT, Text("a"))
    fields = {name: msgspec.Raw(value) for name, value in fields.items()}
    attempt.exchange.request = ChatRequest(dialect="d", model="m", stream=True, fields=fields)
    assert usage_record(attempt).input_tokens == 8


@pytest.mark.parametrize("count", [10**13, 10**400, -1], ids=["many", "huge", "negative"])
def test_a_count_that_nobody_can_believe_is_not_known(count):
    attempt = settled(Outcome.OK, Text("a"), Finish("stop"), Usage(count, 3, cache_read=2, native="said"), End())
    attempt.model = msgspec.structs.replace(attempt.model, prices=Prices(1.0, 1.0, 1.0, 1.0))
    record = usage_record(attempt)
    assert (record.input_tokens, record.output_tokens, record.cache_read_tokens, record.cost) == (None, 3, 2, None)
    assert attempt.answer.usage.native == "said"


def test_an_attempt_that_brought_nothing_records_nothing():
    record = usage_record(settled(Outcome.UPSTREAM_ERROR))
    assert (record.provenance, record.input_tokens, record.output_tokens) == ("none", None, None)


def test_what_it_cost_is_told_by_the_models_prices():
    attempt = settled(Outcome.OK, Text("a"), Finish("stop"), Usage(1_000_000, 500_000, cache_read=400_000), End())
    attempt.model = msgspec.structs.replace(attempt.model, prices=Prices(input=2.0, output=8.0, cache_read=0.5))
    assert usage_record(attempt).cost == pytest.approx(0.6 * 2 + 0.5 * 8 + 0.4 * 0.5)


@pytest.mark.parametrize(
    ("prices", "usage"),
    [
        (Prices(), Usage(7, 3)),
        (Prices(input=1.0), Usage(7, 3)),
        (Prices(input=1.0, output=1.0), Usage(7, None)),
        (Prices(input=1.0, output=1.0), Usage(7, 3, cache_read=2)),
    ],
    ids=["no price", "no price of output", "no count", "no price of what was cached"],
)
def test_a_cost_that_is_not_known_is_not_guessed(prices, usage):
    attempt = settled(Outcome.OK, Text("a"), Finish("stop"), usage, End())
    attempt.model = msgspec.structs.replace(attempt.model, prices=prices)
    assert usage_record(attempt).cost is None


def test_tokens_nobody_used_need_no_price():
    assert Prices(input=1.0, output=1.0).cost(input=1_000_000, output=0, cache_read=0) == 1.0
