"""What every transform has to do: change what it means to change, and nothing else."""

import asyncio
import copy
import inspect
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import msgspec

from gateway.domain import Exchange, Model
from gateway.errors import GatewayError
from gateway.events import (
    End,
    Event,
    Failure,
    Finish,
    Opaque,
    Reasoning,
    Refusal,
    Start,
    Text,
    ToolCall,
    Usage,
)
from gateway.protocols import RequestTransform, StreamTransform
from gateway.requests import ChatRequest
from gateway.runtime import Generation, Registered
from gateway.testing.asked import chat_request
from gateway.testing.bench import exchange_of
from gateway.testing.canned import CHAT, said
from gateway.testing.conformance.manners import MannersChecks
from gateway.testing.conformance.suite import cases, check, fail, skip

_UNKNOWN: Final = msgspec.Raw(b'{"a": [1, 2.50]}')
_ODD_FIELDS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "no_messages": {"messages": []},
        "messages_are_text": {"messages": "hi"},
        "messages_are_null": {"messages": None},
        "message_is_a_number": {"messages": [1]},
        "content_is_a_list": {"messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]},
        "content_is_null": {"messages": [{"role": "assistant", "content": None}]},
    }
)


def _exchange(request: ChatRequest | None = None) -> Exchange:
    model = Model(id="1", name="m", model_id="m", base_url="http://127.0.0.1:1/v1")
    return exchange_of(request or chat_request("m"), model)


class RequestTransformConformance(MannersChecks):
    """Gives a request transform requests as clients send them, usual and strange."""

    kind = "transform"
    stage = "request_transforms"
    capability_names = frozenset({"drops_fields"})

    def with_object(self, generation: Generation, made: Any) -> Generation:
        """The transform alone."""
        return msgspec.structs.replace(generation, request_transforms=(Registered[RequestTransform]("plugin", made),))

    async def use(self, made: Any) -> None:
        """One request."""
        await made.transform(chat_request("m"), _exchange())

    async def changed(self, request: ChatRequest) -> ChatRequest | None:
        """The request it makes of this one; None when it refuses, the check's end when it does neither."""
        transform: RequestTransform = self.under_test
        try:
            result: object = await transform.transform(request, _exchange(request))
        except GatewayError:
            return None
        except Exception as error:  # noqa: BLE001 - this is what the check is about
            fail(f"raises {type(error).__name__}: {error}; refuse with a `GatewayError`, such as `InvalidRequest`")
        if not isinstance(result, ChatRequest):
            fail(f"`transform` returned {type(result).__name__}, not a ChatRequest; without a change return the same")
        for name, value in result.fields.items():
            if not isinstance(value, msgspec.Raw):
                fail(f"put a {type(value).__name__} into the field '{name}'; fields hold JSON: `msgspec.Raw(...)`")
            try:
                msgspec.json.decode(bytes(value))
            except (msgspec.DecodeError, UnicodeDecodeError):
                fail(f"put something into the field '{name}' that is no JSON")
        return result

    @cases(*_ODD_FIELDS)
    async def test_takes_any_request(self, name: str) -> None:
        """Fields are what clients sent: it changes them, leaves them, or refuses."""
        async with self.bench():
            await self.changed(chat_request("m", **_ODD_FIELDS[name]))

    @check
    async def test_takes_a_request_without_fields(self) -> None:
        """Nothing is sure to be there."""
        async with self.bench():
            await self.changed(msgspec.structs.replace(chat_request("m"), fields={}))

    @check
    async def test_does_not_change_what_it_was_given(self) -> None:
        """Requests are immutable: others hold the same one."""
        async with self.bench():
            request = chat_request("m", x_unknown=_UNKNOWN)
            before = copy.deepcopy(dict(request.fields))
            await self.changed(request)
        if before != dict(request.fields):
            fail("mutates the request it was given: make a copy with `request.with_fields(...)`")

    @check
    async def test_keeps_unknown_fields(self) -> None:
        """What it does not know reaches the upstream byte for byte."""
        if self.explicit and "drops_fields" in self.claimed():
            skip("it declares that it drops fields")
        async with self.bench():
            result = await self.changed(chat_request("m", x_unknown=_UNKNOWN))
        if result is not None and bytes(result.fields.get("x_unknown", msgspec.Raw(b""))) != bytes(_UNKNOWN):
            fail("drops unknown fields: 'x_unknown' did not come through; or declare the capability 'drops_fields'")

    @check
    async def test_the_pipeline_serves_with_it(self) -> None:
        """A usual request goes through a whole pipeline, or is refused in words."""
        async with self.bench() as bench:
            bench.model("plain", CHAT["text"].behaviour())
            asked = await bench.ask("plain")
        if asked.refusal is not None and asked.refusal.code == "plugin_error":
            fail(f"fails on a usual request: {asked.problem}")


_ANSWERS: Mapping[str, tuple[Event, ...]] = MappingProxyType(
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


class StreamTransformConformance(MannersChecks):
    """Gives a stream transform answers of every kind, in pieces of every size."""

    kind = "transform"
    stage = "stream_transforms"
    capability_names = frozenset({"drops_text", "drops_tools"})

    def with_object(self, generation: Generation, made: Any) -> Generation:
        """The transform alone."""
        return msgspec.structs.replace(generation, stream_transforms=(Registered[StreamTransform]("plugin", made),))

    async def use(self, made: Any) -> None:
        """One answer."""
        await _through(made.start(_exchange()), [_ANSWERS["text"]])

    async def changed(self, *reads: Sequence[Event]) -> list[Event] | None:
        """What a fresh step makes of these reads; None when the transform leaves this answer alone."""
        transform: StreamTransform = self.under_test
        step = transform.start(_exchange())
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

    @cases(*_ANSWERS)
    async def test_ends_as_the_answer_ended(self, name: str) -> None:
        """One `End` or `Failure`, last: a broken answer stays broken, a whole one whole."""
        async with self.bench():
            events = await self.changed(*([event] for event in _ANSWERS[name]))
        if events is None:
            skip("it leaves this answer alone")
        ends = [event for event in events if isinstance(event, End | Failure)]
        expected = type(_ANSWERS[name][-1])
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
            events = await self.changed(*([event] for event in _ANSWERS["text"]))
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
            events = await self.changed(*([event] for event in _ANSWERS["tools"]))
        if events is not None and said(events).tools != said(_ANSWERS["tools"]).tools:
            fail(f"breaks tool calls: {said(_ANSWERS['tools']).tools} became {said(events).tools}")

    @check
    async def test_keeps_answers_apart(self) -> None:
        """Every attempt has a step of its own; two answers at one time do not mix."""
        async with self.bench():
            transform: StreamTransform = self.under_test
            steps = [transform.start(_exchange()) for _ in range(2)]
            if None in steps:
                skip("it leaves this answer alone")
            alone = await self.changed(*([event] for event in _ANSWERS["text"]))
            mixed: list[list[Event]] = [[], []]
            for event in _ANSWERS["text"]:
                for number, step in enumerate(steps):
                    mixed[number] += await _through(step, [[event]])
        if alone is not None and any(said(events).text != said(alone).text for events in mixed):
            fail("mixes two answers that come at one time: what a step remembers belongs to the step alone")

    @check
    async def test_does_not_change_what_it_was_given(self) -> None:
        """Events are shared; a changed one is made by `msgspec.structs.replace`."""
        given = list(_ANSWERS["text"])
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
