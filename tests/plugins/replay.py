"""Streams of native providers replayed through the real relay to every client dialect: cut after their bytes, split in
two after them, and one byte at a time. `make cuts` takes every byte, `make test` every seventh and all of the last.

    counts = replayed(DIALECT, CANNED["text"])      # raises AssertionError with the place and the client

A whole answer has to say what its canned stream `says`; a cut one ends visibly broken, unless all of it had come, and
what it said before is the beginning of what the whole says. Usage that comes after the finish may be cut off: the
answer itself is whole then.
"""

import importlib.util
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from types import SimpleNamespace
from typing import Any, Final, Literal, Protocol, TypeAlias

import msgspec

from gateway.events import Answer, Cause, Event, Failure, Finish, Text
from gateway.pipeline.calls import Calls
from gateway.pipeline.lanes import relay_for
from gateway.pipeline.observers import start_observers
from gateway.pipeline.steps import start_steps
from gateway.protocols import ByteUpstream, ClientDialect, UpstreamDialect
from gateway.requests import ChatRequest
from gateway.runtime import Faults, Registered
from gateway.testing.canned import Canned, Said, difference, said
from gateway.wire.chat import CHAT, CHAT_CLIENT
from gateway.wire.messages import MESSAGES, MESSAGES_CLIENT
from gateway_chatbot_ui.dialect import ChatbotUi

MESSAGE: Final = {"role": "user", "content": "Hi"}
TEXT: Final = ChatbotUi(not_found="")


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """What a client understood."""

    says: Said
    proper: bool
    """Whether the answer ended as whole answers do."""
    broken: bool
    """Whether the client saw that it did not."""


class Client(Protocol):
    """One kind of client: what it asks and how it reads the answer."""

    name: str

    def fits(self, canned: Canned) -> bool: ...
    def request(self, canned: Canned) -> ChatRequest: ...
    def hear(self, out: bytes, *, aborted: bool) -> Heard: ...
    def expects(self, whole: Said) -> Said: ...


class SdkClient:
    """A client of a dialect that upstreams speak too: its answer is read as an upstream's."""

    def __init__(self, name: str, client: ClientDialect, reads: UpstreamDialect, body: Mapping[str, Any]) -> None:
        self.name, self.dialect, self._reads, self._body = name, client, reads, body

    def fits(self, canned: Canned) -> bool:
        """Only chat has several choices."""
        return canned.choices == 1 or self._reads is CHAT

    def request(self, canned: Canned) -> ChatRequest:
        """A request for such an answer, usage included."""
        more = {"n": canned.choices} if canned.choices > 1 else {}
        return self.dialect.read_request(json.dumps({**self._body, **more}).encode())

    def hear(self, out: bytes, *, aborted: bool) -> Heard:
        """What this client's SDK would have read."""
        framing, reader = self._reads.framing(), self._reads.reader()
        frames = [*framing.feed(out), *framing.end()]
        events = [event for frame in frames for event in reader.read(frame)]
        return heard(events)

    def expects(self, whole: Said) -> Said:
        """Messages have one word for all that was declined, and say it as text."""
        if self._reads is not MESSAGES or not (whole.refusal or whole.finish == "content_filter"):
            return whole
        return msgspec.structs.replace(whole, text=whole.text + whole.refusal, refusal="", finish="refusal")


class WholeClient(SdkClient):
    """The same asking for no stream."""

    def __init__(self, client: SdkClient) -> None:
        super().__init__(f"{client.name}, whole", client.dialect, client._reads, {**client._body, "stream": False})

    def hear(self, out: bytes, *, aborted: bool) -> Heard:
        """A body, or none: then the client is told with a status."""
        if not out:
            return Heard(says=Said(), proper=False, broken=True)
        return heard(self._reads.read_answer(out, 200))


class TextClient:
    """The custom route: plain text, and a cut connection."""

    name = "text"
    dialect: ClientDialect = TEXT

    def fits(self, canned: Canned) -> bool:
        """It asks for one choice."""
        return canned.choices == 1

    def request(self, canned: Canned) -> ChatRequest:
        """What Chatbot UI sends."""
        settings = {"model": "m", "temperature": 0.5}
        body = {"chatSettings": settings, "messages": [MESSAGE], "customModelId": "m"}
        return self.dialect.read_request(json.dumps(body).encode())

    def hear(self, out: bytes, *, aborted: bool) -> Heard:
        """Text and nothing else; tool calls are text here, and are left to the route's own tests."""
        return Heard(says=Said(text=out.decode().partition('{"tool_calls"')[0]), proper=not aborted, broken=aborted)

    def expects(self, whole: Said) -> Said:
        """The text as the route trims it."""
        return Said(text=whole.text.lstrip())


def _clients() -> Iterator[Client]:
    asked = {"model": "m", "messages": [MESSAGE], "stream": True}
    sdks = [
        SdkClient("chat", CHAT_CLIENT, CHAT, {**asked, "stream_options": {"include_usage": True}}),
        SdkClient("messages", MESSAGES_CLIENT, MESSAGES, {**asked, "max_tokens": 9}),
    ]
    if importlib.util.find_spec("gateway.wire.responses") is not None:
        responses = importlib.import_module("gateway.wire.responses")
        body = {"model": "m", "input": "Hi", "stream": True}
        sdks.append(SdkClient("responses", responses.RESPONSES_CLIENT, responses.RESPONSES, body))
    yield from sdks
    yield from map(WholeClient, sdks)
    yield TextClient()


_UNTOLD: Final = (None, (0, 0))
"""Usage that nobody reported; messages clients must be told a number."""
Lane: TypeAlias = Literal["plain", "observed", "parsed"]
"""Nothing stands in the way, something looks, something may change events."""
CAUSES: Final = (Cause.EOF, Cause.RESET)
STRIDE: Final = 7
LAST: Final = 80
CLIENTS: Final[tuple[Client, ...]] = tuple(_clients())


class _Body:
    """A body that is fed by hand."""

    status = 200

    def __init__(self, content_type: str) -> None:
        self.headers = (("content-type", content_type),)


class Run(msgspec.Struct, frozen=True):
    """One replay: what the client was written, and what is known of the answer."""

    out: bytes
    opened: bool
    aborted: bool
    answer: Answer


class _Unseen:
    """A log that nobody reads."""

    def enabled(self, level: int) -> bool:
        return True

    def log(self, level: int, event: str, **fields: object) -> None: ...

    debug = info = warning = error = log


def run(
    dialect: UpstreamDialect, client: Any, canned: Canned, *reads: bytes, cause: Cause = Cause.EOF, lane: Lane = "plain"
) -> Run:
    """The reads passed through a fresh relay, then that end."""
    upstream = ByteUpstream(dialect, _Body(canned.content_type))  # type: ignore[arg-type]
    changing = SimpleNamespace(start=lambda exchange: lambda events: events)
    looking = SimpleNamespace(wants=frozenset({Text, Finish}), start=lambda exchange: lambda events: None)
    generation: Any = SimpleNamespace(
        stream_transforms=[Registered("p", changing)] if lane == "parsed" else [],
        stream_observers=[Registered("p", looking)] if lane == "observed" else [],
    )
    exchange: Any = SimpleNamespace(timings={})
    calls = Calls(Faults(), _Unseen())
    relay = relay_for(
        upstream,
        client.dialect,
        client.request(canned),
        steps=start_steps(generation, exchange, calls),
        observers=start_observers(generation, exchange, calls),
    )
    out = b"".join([relay.feed(read) for read in reads])
    out += relay.end(cause)
    return Run(out, relay.open, relay.aborted, relay.answer)


def heard(events: list[Event]) -> Heard:
    """What these events tell a client."""
    answer = Answer()
    for event in events:
        answer.note(event)
    return Heard(says=said(events), proper=answer.ended and not answer.failure, broken=answer.failure is not None)


def replayed(
    dialect: UpstreamDialect, canned: Canned, *, fails: bool = False, without: str = "", lane: Lane = "plain"
) -> Mapping[str, Counter[str]]:
    """How often each client was told what, over all cuts and splits; `fails`: the stream itself ends with an error."""
    clients = (client for client in CLIENTS if client.fits(canned) and client.name != without)
    run_in = partial(run, lane=lane)
    return {client.name: _replayed(run_in, dialect, client, canned, fails) for client in clients}


def agreed(dialect: UpstreamDialect, canned: Canned) -> bool:
    """Whether every client takes the uncut stream for a whole answer that says what it is known to say."""
    data = b"".join(canned.writes)
    told = [(client, hear(client, run(dialect, client, canned, data))) for client in CLIENTS if client.fits(canned)]
    try:
        return all(
            one.proper and not difference(_canonical(client.expects(canned.says)), _canonical(one.says))
            for client, one in told
        )
    except ValueError:  # the arguments of a call are no JSON
        return False


def places(length: int, client: Any) -> Iterable[int]:
    """The bytes to cut after: all with `GATEWAY_TEST_CUTS=all`, else some, and all of the last ones."""
    if os.environ.get("GATEWAY_TEST_CUTS") == "all":
        return range(length)
    end = max(0, length - LAST)
    return (*range(CLIENTS.index(client) % STRIDE, end, STRIDE), *range(end, length))


def _replayed(run: Any, dialect: UpstreamDialect, client: Any, canned: Canned, fails: bool) -> Counter[str]:
    data = b"".join(canned.writes)
    whole = hear(client, run(dialect, client, canned, data))
    assert whole.broken is fails, f"{client.name}: the whole stream was told as {whole}"
    if not fails:
        problem = difference(_canonical(client.expects(canned.says)), _canonical(whole.says))
        assert not problem, f"{client.name}: {problem}"
    counts: Counter[str] = Counter()
    known: dict[tuple[bytes, bool, bool], Heard] = {}
    for at in places(len(data), client):
        for cause in CAUSES if client is CLIENTS[0] else CAUSES[:1]:
            cut = run(dialect, client, canned, data[:at], cause=cause)
            key = (cut.out, cut.opened, cut.aborted)
            if (told := known.get(key)) is None:
                told = known[key] = hear(client, cut)
            _judge(f"{client.name}, {cause.name} after byte {at}", cut, told, whole)
            counts["refused" if not cut.opened else "whole" if told.proper else "broken"] += 1
        if client is CLIENTS[0]:  # reads are cut into frames in the same way for all of them
            split = run(dialect, client, canned, data[:at], data[at:])
            assert hear(client, split) == whole, f"{client.name}: split after byte {at} it says something else"
            counts["split"] += 1
    bytewise = run(dialect, client, canned, *(data[at : at + 1] for at in range(len(data))))
    assert hear(client, bytewise) == whole, f"{client.name}: byte by byte it says something else"
    assert counts["refused"], f"{client.name}: no cut came before the first content"
    return counts


def _canonical(says: Said) -> Said:
    """The same with arguments spelled in one way: a whole message holds them as an object."""
    tools = tuple((name, json.dumps(json.loads(arguments))) for name, arguments in says.tools)
    return msgspec.structs.replace(says, tools=tools)


def hear(client: Any, run: Run) -> Heard:
    """What that client understood of a replay."""
    told: Heard = client.hear(run.out, aborted=run.aborted)
    return told if run.opened else msgspec.structs.replace(told, broken=run.answer.failure is not None)


def _judge(where: str, cut: Run, told: Heard, whole: Heard) -> None:
    """A cut stream is told as the whole or as broken; what it says is where the whole begins."""
    if not cut.opened:
        assert not cut.out, f"{where}: bytes went out before the first content"
        assert isinstance(cut.answer.failure, Failure), f"{where}: nothing came and nothing failed"
        return
    assert told.proper != told.broken, f"{where}: neither a proper end nor a visible error"
    if told.proper:
        if told.says.tokens in _UNTOLD:
            told = msgspec.structs.replace(told, says=msgspec.structs.replace(told.says, tokens=whole.says.tokens))
        assert told == whole, f"{where}: a clean end without the whole answer: {told.says}"
    # Half of a surrogate pair whose other half was cut off stands there as U+FFFD.
    text, thought = (said.removesuffix("\ufffd") for said in (told.says.text, told.says.reasoning))
    assert whole.says.text.startswith(text), f"{where}: other text than the whole: {text!r}"
    assert whole.says.reasoning.startswith(thought), f"{where}: other thoughts than the whole"
    for (name, arguments), (wanted, all_of_it) in zip(told.says.tools, whole.says.tools, strict=False):
        assert (name, arguments) == (wanted, all_of_it[: len(arguments)]), f"{where}: another tool call"


def shown(name: str, counts: Mapping[str, Counter[str]]) -> str:
    """A line for each client, for the log of a test run."""
    return "\n".join(f"{name:>20} {client:>16}: {dict(sorted(told.items()))}" for client, told in counts.items())
