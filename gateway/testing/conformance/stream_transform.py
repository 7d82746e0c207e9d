"""What every stream transform has to do: change what it means to change, wherever the upstream cut it."""

import asyncio
import copy
import inspect
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from gateway.errors import GatewayError
from gateway.events import End, Event, Failure, Finish, Text
from gateway.protocols import StreamTransform
from gateway.runtime import Generation, Registered
from gateway.testing.canned import said
from gateway.testing.conformance.answers import ANSWERS, events_of, exchange_with
from gateway.testing.conformance.manners import MannersChecks
from gateway.testing.conformance.suite import cases, check, fail, skip


class StreamTransformConformance(MannersChecks):
    """Gives a stream transform answers of every kind, in pieces of every size."""

    kind = "stream-transform"
    stage = "stream_transforms"
    capability_names = frozenset({"drops_text", "drops_tools"})

    def with_object(self, generation: Generation, made: Any) -> Generation:
        """The transform alone."""
        return msgspec.structs.replace(generation, stream_transforms=(Registered[StreamTransform]("plugin", made),))

    async def use(self, made: Any) -> None:
        """One answer."""
        await _through(made.start(exchange_with()), [events_of("text")])

    async def changed(self, *reads: Sequence[Event]) -> list[Event] | None:
        """What a fresh step makes of these reads; None when the transform leaves this answer alone."""
        transform: StreamTransform = self.under_test
        step = transform.start(exchange_with())
        if step is None:
            return None
        if not callable(step):
            fail(f"`start` returned {type(step).__name__}, not a step or None")
        try:
            return await _through(step, reads)
        except GatewayError:
            return None
        except Exception as error:  # noqa: BLE001 - this is what the check is about
            kinds = ", ".join(sorted({type(event).__name__ for read in reads for event in read}))
            fail(f"raises {type(error).__name__} on an answer of {kinds}: {error}")

    @cases(*ANSWERS)
    async def test_ends_as_the_answer_ended(self, name: str) -> None:
        """One `End` or `Failure`, last: a broken answer stays broken, a whole one whole."""
        async with self.bench():
            events = await self.changed(*([event] for event in events_of(name)))
        if events is None:
            skip("it leaves this answer alone")
        ends = [event for event in events if isinstance(event, End | Failure)]
        expected = type(events_of(name)[-1])
        if expected is Failure and not any(isinstance(event, Failure) for event in ends):
            fail("hides a failure: the answer broke, and what comes out of the step does not say so")
        if len(ends) != 1 or events[-1] is not ends[0]:
            fail(f"ends an answer {len(ends)} times, or goes on after its end: pass `End` and `Failure` on, last")

    @check
    async def test_gives_out_what_it_held_back(self) -> None:
        """Text that waits for more of it is given out when no more comes."""
        if self.explicit and "drops_text" in self.claimed():
            skip("it declares that it drops text")
        async with self.bench():
            events = await self.changed(*([event] for event in events_of("text")))
        if events is not None and not said(events).text:
            fail("swallows the text: nothing of it came out; or declare the capability 'drops_text'")

    @check
    async def test_does_not_depend_on_where_the_text_is_cut(self) -> None:
        """An upstream cuts its text anywhere: a word in two events is the same word."""
        whole = [Text(text="Hello there."), Finish(reason="stop"), End()]
        letters = [*(Text(text=letter) for letter in "Hello there."), Finish(reason="stop"), End()]
        async with self.bench():
            at_once = await self.changed(whole)
            dripped = await self.changed(*([event] for event in letters))
        if at_once is not None and dripped is not None and said(at_once).text != said(dripped).text:
            fail(f"makes {said(at_once).text!r} of a text in one event, and {said(dripped).text!r} of it in letters")

    @check
    async def test_keeps_tool_calls_whole(self) -> None:
        """A tool call's arguments are JSON in pieces; a piece that is lost breaks them."""
        if self.explicit and "drops_tools" in self.claimed():
            skip("it declares that it drops tool calls")
        async with self.bench():
            events = await self.changed(*([event] for event in events_of("tools")))
        if events is not None and said(events).tools != said(events_of("tools")).tools:
            fail(f"breaks tool calls: {said(events_of('tools')).tools} became {said(events).tools}")

    @check
    async def test_keeps_answers_apart(self) -> None:
        """Every attempt has a step of its own; two answers at one time do not mix."""
        async with self.bench():
            transform: StreamTransform = self.under_test
            steps = [transform.start(exchange_with()) for _ in range(2)]
            if None in steps:
                skip("it leaves this answer alone")
            alone = await self.changed(*([event] for event in events_of("text")))
            mixed: list[list[Event]] = [[], []]
            for event in events_of("text"):
                for number, step in enumerate(steps):
                    mixed[number] += await _through(step, [[event]])
        if alone is not None and any(said(events).text != said(alone).text for events in mixed):
            fail("mixes two answers that come at one time: what a step remembers belongs to the step alone")

    @check
    async def test_does_not_change_what_it_was_given(self) -> None:
        """Events are shared; a changed one is made by `msgspec.structs.replace`."""
        given = events_of("text")
        before = copy.deepcopy(given)
        async with self.bench():
            await self.changed(given)
        if [msgspec.structs.asdict(one) for one in given] != [msgspec.structs.asdict(one) for one in before]:
            fail("mutates the events it was given; make others with `msgspec.structs.replace`")


async def _through(step: Callable[[list[Event]], Any] | None, reads: Sequence[Sequence[Event]]) -> list[Event]:
    events: list[Event] = []
    for read in reads:
        result = step(list(read)) if step else list(read)
        if inspect.isawaitable(result):
            async with asyncio.timeout(5):
                result = await result
        if not isinstance(result, list | tuple):
            raise TypeError(f"the step returned {type(result).__name__}, not a list of events")
        events += result
    return events
