"""A usage record as of a whole answer, for tests that store and sum them."""

from gateway.domain import Outcome, UsageRecord

RECORD = UsageRecord(
    attempt_id="a1",
    exchange_id="e1",
    principal_id="key",
    owner=None,
    route="fast",
    model_id="id",
    model_name="gpt",
    provider="openai",
    number=1,
    started_at=0.0,
    duration=1.0,
    first_content=0.5,
    outcome=Outcome.OK,
    status=200,
    provenance="reported",
    input_tokens=100,
    output_tokens=10,
    deltas=5,
    finish_reason="stop",
    cost=0.25,
)
