"""One usage record from one settled attempt."""

import time
from typing import Literal

from gateway.domain import Attempt, Outcome, UsageRecord
from gateway.events import Usage
from gateway.size import ASKED

_BYTES_PER_TOKEN = 4
"""Of a prompt, when nobody reports its tokens: the field's rule of thumb."""


def usage_record(attempt: Attempt) -> UsageRecord:
    """The record of a settled attempt; its provenance says how far its numbers can be trusted."""
    exchange, model, answer = attempt.exchange, attempt.model, attempt.answer
    outcome = attempt.outcome or Outcome.GATEWAY_ERROR
    usage, provenance = _usage(attempt, outcome)
    ended = attempt.ended if attempt.ended is not None else time.monotonic()
    first, principal, route = attempt.first_content, exchange.principal, exchange.route
    return UsageRecord(
        attempt_id=attempt.id,
        exchange_id=exchange.id,
        principal_id=principal.id if principal else "",
        owner=principal.owner if principal else None,
        route=route.name if route else "",
        model_id=model.id,
        model_name=model.name,
        provider=model.provider,
        number=attempt.number,
        reason=attempt.reason,
        started_at=attempt.started_at,
        duration=ended - attempt.started,
        first_content=None if first is None else first - attempt.started,
        outcome=outcome,
        status=attempt.upstream_status,
        error_code=attempt.error.code if attempt.error else None,
        provenance=provenance,
        input_tokens=usage.input,
        output_tokens=usage.output,
        cache_read_tokens=usage.cache_read,
        cache_write_tokens=usage.cache_write,
        reasoning_tokens=usage.reasoning,
        deltas=answer.deltas if answer else 0,
        finish_reason=answer.finish.get(0) if answer else None,
        cost=model.prices.cost(
            input=usage.input, output=usage.output, cache_read=usage.cache_read, cache_write=usage.cache_write
        ),
    )


def begun_record(attempt: Attempt) -> UsageRecord:
    """The record of an attempt of which nothing more is ever heard: the process was killed."""
    exchange, model = attempt.exchange, attempt.model
    return UsageRecord(
        attempt_id=attempt.id,
        exchange_id=exchange.id,
        principal_id=exchange.principal.id if exchange.principal else "",
        owner=exchange.principal.owner if exchange.principal else None,
        route=exchange.route.name if exchange.route else "",
        model_id=model.id,
        model_name=model.name,
        provider=model.provider,
        number=attempt.number,
        reason=attempt.reason,
        started_at=attempt.started_at,
        outcome=Outcome.LOST,
    )


def _usage(attempt: Attempt, outcome: Outcome) -> tuple[Usage, Literal["reported", "partial", "estimated", "none"]]:
    answer = attempt.answer
    if answer is not None and answer.usage is not None:
        return answer.usage, "reported" if attempt.heard_out else "partial"
    if answer is None or not (answer.deltas or outcome is Outcome.OK):
        return Usage(), "none"
    request = attempt.exchange.request
    if request is None or not request.is_chat:
        return Usage(), "none"
    prompt = sum(len(memoryview(request.fields[name])) for name in ASKED if name in request.fields)
    return Usage(input=-(-prompt // _BYTES_PER_TOKEN), output=answer.deltas), "estimated"
