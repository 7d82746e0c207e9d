"""What every usage sink has to do: take any record, take it twice, keep nobody waiting."""

import copy
from typing import Any, Final

import msgspec

from gateway.domain import Outcome, UsageRecord
from gateway.protocols import UsageSink
from gateway.runtime import Generation, Registered
from gateway.testing.conformance.manners import MannersChecks
from gateway.testing.conformance.suite import check, fail, skip

_FULL: Final = UsageRecord(
    attempt_id="kit-1-1",
    exchange_id="kit-1",
    principal_id="kit",
    owner="owner",
    route="fast",
    model_id="11111111-1111-4111-8111-111111111111",
    model_name="gpt",
    provider="openai",
    number=1,
    started_at=1_700_000_000.0,
    duration=1.5,
    first_content=0.25,
    outcome=Outcome.OK,
    status=200,
    error_code=None,
    provenance="reported",
    input_tokens=11,
    output_tokens=7,
    cache_read_tokens=1,
    cache_write_tokens=2,
    reasoning_tokens=3,
    deltas=5,
    finish_reason="stop",
)
_NOTHING: Final = {
    "owner": None,
    "first_content": None,
    "status": None,
    "error_code": "upstream_unreachable",
    "provenance": "none",
    "input_tokens": None,
    "output_tokens": None,
    "cache_read_tokens": None,
    "cache_write_tokens": None,
    "reasoning_tokens": None,
    "deltas": 0,
    "finish_reason": None,
}


class UsageSinkConformance(MannersChecks):
    """Writes records of every outcome; override `stored` to show that a repeated one is kept once."""

    kind = "sink"
    stage = "usage_sinks"

    def with_object(self, generation: Generation, made: Any) -> Generation:
        """The sink alone."""
        return msgspec.structs.replace(generation, usage_sinks=(Registered[UsageSink]("plugin", made),))

    async def use(self, made: Any) -> None:
        """One batch."""
        await made.write([_FULL])

    async def stored(self, sink: Any) -> list[str] | None:
        """The attempt ids that the sink has stored so far; None = that cannot be told."""
        return None

    async def write(self, *records: UsageRecord) -> None:
        """One batch; ends the check when the sink raises."""
        sink: UsageSink = self.under_test
        try:
            await sink.write(list(records))
        except Exception as error:  # noqa: BLE001 - this is what the check is about
            kinds = ", ".join(sorted({record.outcome.value for record in records})) or "no"
            fail(f"raises {type(error).__name__} for {len(records)} records ({kinds} outcome): {error}")

    @check
    async def test_takes_every_outcome(self) -> None:
        """Numbers that nobody reported are None; any outcome may come."""
        async with self.bench():
            for number, outcome in enumerate(Outcome):
                bare: dict[str, Any] = {**_NOTHING, "attempt_id": f"kit-bare-{number}", "outcome": outcome}
                await self.write(msgspec.structs.replace(_FULL, **bare))

    @check
    async def test_takes_any_batch(self) -> None:
        """None, one and five hundred records."""
        async with self.bench():
            await self.write()
            await self.write(*(msgspec.structs.replace(_FULL, attempt_id=f"kit-{number}-1") for number in range(500)))

    @check
    async def test_takes_any_text(self) -> None:
        """Names are what operators and upstreams made them."""
        async with self.bench():
            odd = "a'b\"c; DROP TABLE usage;-- \N{PARTY POPPER}\n\\"
            await self.write(msgspec.structs.replace(_FULL, attempt_id="kit-odd-1", route=odd, model_name=odd))

    @check
    async def test_takes_a_record_twice(self) -> None:
        """The same attempt may come again; by `attempt_id` it is counted once."""
        async with self.bench():
            await self.write(_FULL)
            await self.write(_FULL, _FULL)
            ids = await self.stored(self.under_test)
            if ids is None:
                skip("override `stored` to show that a record that comes twice is kept once")
            if (count := ids.count(_FULL.attempt_id)) != 1:
                fail(f"keeps an attempt {count} times that came three times: be idempotent by `attempt_id`")

    @check
    async def test_leaves_the_records_as_they_are(self) -> None:
        """Every sink gets the same batch."""
        async with self.bench():
            batch = [_FULL, msgspec.structs.replace(_FULL, attempt_id="kit-2-1")]
            before = copy.copy(batch)
            sink: UsageSink = self.under_test
            await sink.write(batch)
        if batch != before:
            fail("mutates the batch it was given: the next sink gets what is left of it")
