"""One usage record from one settled attempt."""

import time
from typing import Literal

from msgspec.structs import replace

from gateway.domain import Attempt, Outcome, UsageRecord
from gateway.events import Usage
from gateway.size import ASKED

_BYTES_PER_TOKEN = 4
"""Of a prompt, when nobody reports its tokens: the field's rule of thumb."""


def begun_record(attempt: Attempt) -> UsageRecord:
    """The record of an attempt of which nothing more is ever heard: the process was killed."""
    exchange, model = attempt.exchange, attempt.model
    principal, route = exchange.principal, exchange.route
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
        outcome=Outcome.LOST,
    )


def usage_record(attempt: Attempt) -> UsageRecord:
    """The record of a settled attempt; its provenance says how far its numbers can be trusted."""
    answer, error, started = attempt.answer, attempt.error, attempt.started
    first, ended = attempt.first_content, attempt.ended
    outcome = attempt.outcome or Outcome.GATEWAY_ERROR
    usage, provenance = _usage(attempt, outcome)
    sent, written, read, cached = usage.input, usage.output, usage.cache_read, usage.cache_write
    # On top of what was known before: with more than fifteen keywords CPython makes a dictionary for the call.
    return replace(
        begun_record(attempt),
        duration=(time.monotonic() if ended is None else ended) - started,
        first_content=None if first is None else first - started,
        outcome=outcome,
        status=attempt.upstream_status,
        error_code=error.code if error else None,
        provenance=provenance,
        input_tokens=sent,
        output_tokens=written,
        cache_read_tokens=read,
        cache_write_tokens=cached,
        reasoning_tokens=usage.reasoning,
        deltas=answer.deltas if answer else 0,
        finish_reason=answer.finish.get(0) if answer else None,
        cost=attempt.model.prices.cost(input=sent, output=written, cache_read=read, cache_write=cached),
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
