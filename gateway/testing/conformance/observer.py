"""What every stream observer has to do: look, and nothing else."""

import asyncio
import copy
import inspect
from collections.abc import Callable, Mapping, Sequence
from itertools import zip_longest
from typing import Any

import msgspec

from gateway.domain import Exchange, Outcome
from gateway.events import Event, Usage
from gateway.protocols import OBSERVED, StreamObserver
from gateway.runtime import Generation, Registered
from gateway.testing.canned import CHAT, difference
from gateway.testing.conformance.answers import ANSWERS, events_of, exchange_with, settled
from gateway.testing.conformance.manners import MannersChecks
from gateway.testing.conformance.suite import cases, check, fail, skip
from gateway.testing.standin import RecordingLog
from gateway.testing.upstream import Ending, reply
from gateway.usage import usage_record

_Callback = Callable[[Sequence[Event]], Any]


class ObserverConformance(MannersChecks):
    """Tells a stream observer of answers of every kind, whole and broken."""

    kind = "observer"
    stage = "stream_observers"

    def with_object(self, generation: Generation, made: Any) -> Generation:
        """The observer alone."""
        return msgspec.structs.replace(generation, stream_observers=(Registered[StreamObserver]("plugin", made),))

    async def use(self, made: Any) -> None:
        """One answer, told as it comes."""
        callback = made.start(exchange_with())
        for event in events_of("text"):
            self.tell(callback, [event])
            await asyncio.sleep(0)

    def started(self, exchange: Exchange) -> _Callback | None:
        """The observer's callback for one answer; ends the check when it is none."""
        observer: StreamObserver = self.under_test
        try:
            callback: object = observer.start(exchange)
        except Exception as error:  # noqa: BLE001 - this is what the check is about
            fail(f"raises {type(error).__name__} in `start`: {error}")
        if callback is not None and not callable(callback):
            fail(f"`start` returned {type(callback).__name__}, not a callback or None")
        return callback

    def tell(self, callback: _Callback | None, events: Sequence[Event]) -> None:
        """Tell it those of the events that it wants; ends the check when it raises, or waits."""
        wanted = getattr(self.under_test, "wants", OBSERVED)
        told = [event for event in events if type(event) in wanted]
        if callback is None or not told:
            return
        try:
            result = callback(told)
        except Exception as error:  # noqa: BLE001 - this is what the check is about
            kinds = ", ".join(type(event).__name__ for event in told)
            fail(f"raises {type(error).__name__} when it is told {kinds}: {error}")
        if inspect.isawaitable(result):
            if inspect.iscoroutine(result):
                result.close()
            fail("its callback is async, and nobody awaits it: put what takes time into a queue, or into a usage sink")

    @cases(*ANSWERS)
    async def test_takes_any_answer(self, name: str) -> None:
        """Events come one by one or all at once; usage, a start, a finish may be missing."""
        async with self.bench():
            one_by_one, at_once = (self.started(exchange_with(number=number)) for number in (1, 2))
            for event in events_of(name):
                self.tell(one_by_one, [event])
            self.tell(at_once, events_of(name))

    @check
    async def test_takes_an_answer_that_never_ends(self) -> None:
        """A client may leave at any time: the next answer is told all the same."""
        async with self.bench():
            for number, answer in enumerate((events_of("text")[:2], events_of("text"))):
                callback = self.started(exchange_with(number=number))
                for event in answer:
                    self.tell(callback, [event])

    @check
    async def test_keeps_answers_apart(self) -> None:
        """Two answers that come at one time are told each for itself; seen in what it logs."""
        async with self.bench() as bench:
            log = bench.gateway.log
            in_turn, again = (self._logged(log, mixed=False) for _ in range(2))
            mixed = self._logged(log, mixed=True)
        if in_turn != again:
            skip("what it logs of one answer is not the same the second time")
        if mixed != in_turn:
            fail("mixes two answers that come at one time: what a callback remembers belongs to the callback alone")

    @check
    async def test_changes_nothing(self) -> None:
        """Events and exchange are shared with all others, the client's writer among them."""
        async with self.bench():
            given = [*events_of("text"), *events_of("tools"), Usage(input=1, native={"prompt_tokens": 1, "more": [1]})]
            exchange = exchange_with()
            before = copy.deepcopy(given), (exchange.request, exchange.route, exchange.principal)
            self.tell(self.started(exchange), given)
        if [msgspec.structs.asdict(one) for one in given] != [msgspec.structs.asdict(one) for one in before[0]]:
            fail("mutates the events it is told; what changes answers is a stream transform")
        if (exchange.request, exchange.route, exchange.principal) != before[1]:
            fail("mutates the exchange it is told of")

    @check
    async def test_hears_of_every_end(self) -> None:
        """`settled`, where it has one, is called for every exchange: with attempts and an answer, or without."""
        async with self.bench():
            hears = getattr(self.under_test, "settled", None)
            if hears is None:
                skip("it has no `settled`")
            for outcome in Outcome:
                exchange = settled(exchange_with(), outcome)
                records = [usage_record(attempt) for attempt in exchange.attempts]
                try:
                    hears(exchange, records)
                except Exception as error:  # noqa: BLE001 - this is what the check is about
                    fail(f"raises {type(error).__name__} in `settled` for the outcome '{outcome}': {error}")

    @cases("whole", "broken", "refused")
    async def test_the_pipeline_serves_with_it(self, how: str) -> None:
        """Behind the gateway's own pipeline the client gets what it would get without."""
        behaviour = {
            "whole": CHAT["text"].behaviour(),
            "broken": CHAT["text"].behaviour(writes=2, ending=Ending.RESET),
            "refused": reply(400, b"{}"),
        }[how]
        async with self.bench() as bench:
            bench.model("seen", behaviour)
            asked = await bench.ask("seen")
            faults = [fields["error"] for _, event, fields in bench.gateway.log.lines if event == "plugin_failed"]
        if faults:
            fail(f"raises {faults[0]} behind the pipeline, which counts it and leaves the observer out when it goes on")
        if how == "whole" and (wrong := asked.problem or difference(CHAT["text"].says, asked.said)):
            fail(f"an answer does not come through with it: {wrong}")

    def _logged(self, log: RecordingLog, *, mixed: bool) -> list[str]:
        """What it logs of two answers, in any order; durations are never the same twice."""
        log.lines.clear()
        answers = (events_of("text"), events_of("tools"))
        if mixed:
            callbacks = [self.started(exchange_with(number=number)) for number in (1, 2)]
            for events in zip_longest(*answers):
                for callback, event in zip(callbacks, events, strict=True):
                    self.tell(callback, [event] if event else [])
        else:
            for number, answer in enumerate(answers, start=1):
                callback = self.started(exchange_with(number=number))
                for event in answer:
                    self.tell(callback, [event])
        return sorted(f"{level} {event} {_lasting(fields)!r}" for level, event, fields in log.lines)


def _lasting(fields: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in fields.items() if not isinstance(value, float)}
