"""Answers of every kind as events, for what looks at streams or changes them."""

import copy
from collections.abc import Mapping
from types import MappingProxyType

from gateway.domain import Exchange, Model, Outcome
from gateway.events import Answer, End, Event, Failure, Finish, Opaque, Reasoning, Refusal, Start, Text, ToolCall, Usage
from gateway.requests import ChatRequest
from gateway.testing.asked import chat_request
from gateway.testing.bench import exchange_of

ANSWERS: Mapping[str, tuple[Event, ...]] = MappingProxyType(
    {
        "text": (
            Start(id="1"),
            *(Text(text=piece) for piece in ("Hel", "lo ", "there", ".")),
            Finish(reason="stop"),
            Usage(output=3),
            End(),
        ),
        "tools": (
            ToolCall(id="c1", name="f"),
            ToolCall(id="c1", arguments='{"a":'),
            ToolCall(id="c1", arguments=" 1}"),
            Finish(reason="tool_calls"),
            End(),
        ),
        "all_kinds": (Opaque(kind="ping"), Reasoning(text="hm"), Refusal(text="no"), Finish(reason="refusal"), End()),
        "nothing": (Finish(reason="stop"), End()),
        "failure": (Text(text="Hel"), Failure(code="upstream_disconnected", message="Gone.")),
    }
)
"""By what is in them; `events_of` gives copies, so that no plugin can spoil them for the next check."""


def events_of(answer: str) -> list[Event]:
    """The events of that answer, new ones each time."""
    return copy.deepcopy(list(ANSWERS[answer]))


def exchange_with(request: ChatRequest | None = None, *, number: int = 1) -> Exchange:
    """An exchange at its first attempt; the number tells two of them apart."""
    model = Model(id="1", name="m", model_id="m", base_url="http://127.0.0.1:1/v1")
    exchange = exchange_of(request or chat_request("m"), model)
    exchange.id = f"{number:032x}"
    return exchange


def settled(exchange: Exchange, outcome: Outcome) -> Exchange:
    """The exchange after it has ended so: with an answer or none, with usage or none."""
    exchange.outcome = outcome
    if outcome in (Outcome.REJECTED, Outcome.GATEWAY_ERROR):
        exchange.attempts.clear()
        return exchange
    exchange.answer = Answer()
    if outcome is Outcome.OK:
        exchange.answer.note(Finish(reason="stop"))
        exchange.answer.note(Usage(input=11, output=7))
    return exchange
