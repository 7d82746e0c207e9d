"""The lanes: which one an answer takes, and that none of them ever ends a cut stream well."""

import itertools
import json
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway import ChatRequest
from gateway.events import Cause, Event, Finish, Text, ToolCall
from gateway.pipeline.calls import Calls
from gateway.pipeline.lanes import relay_for
from gateway.pipeline.observers import start_observers
from gateway.pipeline.relay import Relay
from gateway.pipeline.steps import start_steps
from gateway.protocols import ByteUpstream, ClientDialect, EventUpstream
from gateway.runtime import Faults, Registered
from gateway.testing.canned import CHAT as CHAT_ANSWERS
from gateway.testing.canned import said
from gateway.testing.upstream import chat_events
from gateway.wire.chat import CHAT, CHAT_CLIENT
from gateway.wire.sse import Sse
from gateway_chatbot_ui.dialect import ChatbotUi

STREAMS = {
    name: b"".join(canned.writes)
    for name, canned in CHAT_ANSWERS.items()
    if canned.content_type.startswith("text/event-stream") and name != "long_line"
}
DONE = b"data: [DONE]\n\n"


class Log:
    def log(self, level: int, event: str, **fields: object) -> None: ...

    debug = info = warning = error = log


def shout(events: list[Event]) -> list[Event]:
    """Changes every text, in a way that can be undone."""
    return [msgspec.structs.replace(e, text=e.text.swapcase()) if isinstance(e, Text) else e for e in events]


def asked(*, stream: bool = True, choices: int = 1) -> ChatRequest:
    fields = {"model": "m", "messages": [], "stream": stream, "n": choices}
    return CHAT_CLIENT.read_request(json.dumps(fields).encode())


def relay(
    request: ChatRequest,
    *,
    step: Any = None,
    wants: Any = None,
    content_type: str = "text/event-stream",
    client: ClientDialect = CHAT_CLIENT,
    told: list[Event] | None = None,
) -> Relay:
    """The relay of an answer; what an observer that wants these events is told goes into `told`."""
    heard = [] if told is None else told
    transforms = [Registered("p", SimpleNamespace(start=lambda exchange: step))] if step else []
    watching = [Registered("p", SimpleNamespace(wants=wants, start=lambda exchange: heard.extend))] if wants else []
    generation: Any = SimpleNamespace(stream_transforms=transforms, stream_observers=watching)
    exchange: Any = SimpleNamespace(timings={})
    calls = Calls(Faults(), Log())
    body: Any = SimpleNamespace(headers=(("content-type", content_type),))
    return relay_for(
        ByteUpstream(CHAT, body),
        client,
        request,
        steps=start_steps(generation, exchange, calls),
        observers=start_observers(generation, exchange, calls),
    )


def play(made: Relay, pieces: Sequence[bytes], cause: Cause = Cause.EOF) -> bytes:
    out = b"".join([made.feed(piece) for piece in pieces]) + made.end(cause)
    return out.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def read(out: bytes) -> Any:
    """What a client understands of a stream, and whether it ended well."""
    framing, reader = Sse(), CHAT.reader()
    frames = framing.feed(out)
    return said([event for frame in frames for event in reader.read(frame)])


def ended_well(out: bytes) -> bool:
    return out.endswith(DONE) and b'data: {"error"' not in out


@pytest.mark.parametrize("name", STREAMS)
def test_the_exact_lane_hands_on_what_came(name: str) -> None:
    made = relay(asked(choices=CHAT_ANSWERS[name].choices))
    out = play(made, [STREAMS[name]])
    assert made.lane == "exact"
    whole = STREAMS[name]
    assert out.removesuffix(DONE) == _without_our_usage(whole).replace(b"\r\n", b"\n").removesuffix(DONE)
    assert ended_well(out)


def _without_our_usage(stream: bytes) -> bytes:
    """Less the chunk that only the gateway asked for."""
    frames = Sse().feed(stream)
    return b"".join(f.raw for f in frames if not (f.data and b'"usage":{' in f.data and b'"choices":[]' in f.data))


@pytest.mark.parametrize("last", [b'data: {"error":{"message":"boom"}}\n\n', b"data: {]\n\n"], ids=["error", "garbage"])
@pytest.mark.parametrize("at", [1, 2])
def test_what_was_held_goes_out_first_where_the_first_content_fails_in_the_same_read(at: int, last: bytes) -> None:
    role, content, *_ = chat_events("Hello")
    begun = (role, content)
    out = play(relay(asked()), [*begun[: at - 1], b"".join(begun[at - 1 :]) + last])
    assert out.startswith(role + content)
    assert not ended_well(out)


@pytest.mark.parametrize("lane", ["exact", "watched", "parsed"])
@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_cut_anywhere_ends_well_only_where_it_was_whole(name: str, lane: str) -> None:
    stream, choices = STREAMS[name], CHAT_ANSWERS[name].choices
    options: dict[str, Any] = {
        "exact": {},
        "watched": {"wants": frozenset({Text, Finish})},
        "parsed": {"step": shout},
    }[lane]
    whole = read(play(relay(asked(choices=choices), **options), [stream]))
    for cut in (*range(0, len(stream) - 80, 7), *range(max(0, len(stream) - 80), len(stream))):  # `make cuts`: all
        for cause in (Cause.EOF, Cause.RESET):
            made = relay(asked(choices=choices), **options)
            out = play(made, [stream[:cut]], cause)
            if not made.open:
                assert made.answer.failure is not None
                continue
            got = read(out)
            assert whole.text.startswith(got.text)
            if ended_well(out):
                assert (got.text, got.tools, got.finish) == (whole.text, whole.tools, whole.finish)
            else:
                assert out.endswith(DONE)
                assert b'data: {"error"' in out


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(STREAMS)), st.lists(st.integers(0, 5000), max_size=6), st.sampled_from([None, shout]))
def test_it_does_not_matter_where_reads_split(name: str, cuts: list[int], step: Any) -> None:
    stream, choices = STREAMS[name], CHAT_ANSWERS[name].choices
    at = [0, *sorted({min(cut, len(stream)) for cut in cuts}), len(stream)]
    pieces = [stream[a:b] for a, b in itertools.pairwise(at)]
    assert play(relay(asked(choices=choices), step=step), pieces) == play(
        relay(asked(choices=choices), step=step), [stream]
    )


DELTA = b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"a"}}]}\n\n'
TWO_IN_ONE = DELTA[:-2] + DELTA[6:]
HALF = DELTA.replace(b'"a"', b'"\\ud800"')
MANY = 20 * DELTA
"""As many as a read must hold to be looked at as a whole."""
ODD = (
    MANY,
    DELTA,
    DELTA,
    DELTA[:-2] + b"\n\n\n",
    DELTA.replace(b"data: ", b"data:"),
    DELTA.replace(b"\n", b"\r\n"),
    DELTA.replace(b'"a"', b'"\xc3\xa4"'),
    DELTA.replace(b'"a"', b'"\xc3"'),
    DELTA.replace(b'"c"', b'"\xc3"'),  # where nobody looks
    HALF,
    TWO_IN_ONE,
    MANY.replace(b'"a"', b'" \xc3\xa4"'),
    DELTA.replace(b'"index":0', b'"index":1'),
    DELTA.replace(b'"content"', b'"reasoning_content"'),
    DELTA.replace(b'"content":"a"', b'"tool_calls":[{"index":0,"id":"c","function":{"name":"f","arguments":"{"}}]'),
    DELTA.replace(b'"a"', b'""'),
    DELTA[:-3] + b"\n}\n\n",  # half of it no field of an event
    b'data: {"choices":[{"delta":{}}\n\n',
    b"data: ]}\n\n",
    b"data: \n\n",
    b"data: {\n\n",
    b"data: }\n\n",
    b'data: {"a"\n\ndata: :1}\n\n',
    b'data: {"choices":[]}\n\n',
    b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n',
    b'data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}\n\n',
    b'data: {"error":{"message":"no"}}\n\n',
    b": comment\n\n",
    b"id: 7\n" + DELTA,
    DELTA[:-1] + b"id: 7\n\n",
    b"event: named\n" + DELTA,
    b"event: message\n" + DELTA,
    DONE,
    b"\n\n",
)


class Strict(ChatbotUi):
    """Takes what comes for what it says: several choices are several."""

    lenient = False


CLIENTS = (CHAT_CLIENT, ChatbotUi(not_found=""), Strict(not_found=""))


@pytest.mark.parametrize("wants", [None, frozenset({Text, Finish})], ids=["unseen", "observed"])
@pytest.mark.parametrize("client", CLIENTS, ids=["chat", "custom", "custom, strict"])
@settings(max_examples=400, deadline=None)
@given(st.lists(st.sampled_from(ODD), max_size=12), st.lists(st.integers(0, 3000), max_size=3))
@example([MANY, DELTA.replace(b'"c"', b'"\xc3"'), MANY], [len(DELTA)])
@example([MANY, TWO_IN_ONE, MANY], [len(DELTA)])
@example([MANY, DELTA.replace(b'"index":0', b'"index":1'), MANY], [len(DELTA)])
@example([HALF, MANY], [len(DELTA), len(DELTA + HALF)])
@example([MANY, DELTA.replace(b'"a"', b'"\xc3"'), MANY], [len(DELTA)])
@example([MANY, TWO_IN_ONE, b'data: {"choices":[{"delta":{}}]\n}\n\n', MANY], [len(DELTA)])
@example([MANY, TWO_IN_ONE, b'data: {"choices":[{"delta":{}}]\n\ndata: ,"x":1}\n\n', MANY], [len(DELTA)])
def test_many_frames_at_once_say_what_each_would(
    client: ClientDialect, wants: Any, events: list[bytes], cuts: list[int]
) -> None:
    stream = DELTA + b"".join(events) + DONE
    at = [0, *sorted({min(cut, len(stream)) for cut in cuts}), len(stream)]
    pieces = [stream[a:b] for a, b in itertools.pairwise(at)]
    heard: list[Event] = []
    heard_apart: list[Event] = []
    together = relay(asked(), client=client, wants=wants, told=heard)
    apart = relay(asked(), client=client, wants=wants, told=heard_apart)
    passed = play(together, pieces)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Sse, "lines", lambda framing, data: None)
        assert passed == play(apart, pieces)
    assert (together.open, together.closed, together.aborted) == (apart.open, apart.closed, apart.aborted)
    for one in ("deltas", "finish", "usage", "failure", "ended", "seen"):
        assert repr(getattr(together.answer, one)) == repr(getattr(apart.answer, one))
    assert repr(heard) == repr(heard_apart)
    assert together.feed(MANY) == b""  # nothing goes out behind an end


@pytest.mark.parametrize("name", STREAMS)
def test_a_step_that_changes_nothing_changes_no_byte(name: str) -> None:
    choices = CHAT_ANSWERS[name].choices
    made = relay(asked(choices=choices), step=lambda events: events)
    assert made.lane == "parsed"
    assert play(made, [STREAMS[name]]) == play(relay(asked(choices=choices)), [STREAMS[name]])


def test_text_that_a_step_holds_back_comes_out_in_its_frame() -> None:
    held: list[Event] = []

    def hold(events: list[Event]) -> list[Event]:
        out: list[Event] = []
        for event in events:
            if isinstance(event, Text):
                held.append(event)
            else:
                out += [*held, event] if isinstance(event, Finish) else [event]
        return out

    stream = (
        b'data: {"choices":[{"index":0,"delta":{"content":"a"}}],"k":1}\n\n'
        b'data: {"choices":[{"index":0,"delta":{"content":"b"}}],"k":2}\n\n'
        b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n' + DONE
    )
    out = play(relay(asked(), step=hold), [stream])
    assert read(out).text == "ab"
    assert out.index(b'"k":1') < out.index(b'"k":2') < out.index(b"finish_reason")


@pytest.mark.parametrize("stream", [True, False])
def test_log_probabilities_do_not_tell_what_a_step_has_masked(stream: bool) -> None:
    def mask(events: list[Event]) -> list[Event]:
        return [
            msgspec.structs.replace(e, text="***") if isinstance(e, Text) and e.text == "secret" else e for e in events
        ]

    def choice(text: str) -> dict[str, Any]:
        said = {"content": [{"token": text, "logprob": -0.1}]}
        return {"index": 0, "delta": {"content": text}, "logprobs": said, "finish_reason": None}

    frames = [b"data: " + json.dumps({"choices": [choice(text)]}).encode() + b"\n\n" for text in ("open", "secret")]
    end = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n' + DONE
    out = play(relay(asked(stream=stream), step=mask), [*frames, end])
    assert b"***" in out
    assert b'"open"' in out
    assert b"secret" not in out


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_is_collected_for_a_client_that_asked_for_none(name: str) -> None:
    expected = CHAT_ANSWERS[name]
    made = relay(asked(stream=False, choices=expected.choices))
    early = len(STREAMS[name]) - 2  # a lone CR ends a line, too
    assert b"".join([made.feed(bytes([byte])) for byte in STREAMS[name][:early]]) == b""
    out = made.feed(STREAMS[name][early:]) + made.end(Cause.EOF)
    assert made.open
    got = said(CHAT.read_answer(out, 200))
    assert (got.text, got.tools, got.reasoning, got.refusal) == (
        expected.says.text,
        expected.says.tools,
        expected.says.reasoning,
        expected.says.refusal,
    )


def test_a_whole_answer_that_nobody_changes_passes_as_it_came_and_is_not_collected() -> None:
    choice = b'{"index": 0, "message": {"role": "assistant", "content": "hello"}, "finish_reason": "stop"}'
    body = b'{"id": "1",  "model": "m", "choices": [%b], "unknown": [1.0]}' % choice
    made = relay(asked(stream=False), content_type="application/json")
    assert play(made, [body[:9], body[9:]]) == body
    assert made.answer.collected is None
    changed = relay(asked(stream=False), step=shout, content_type="application/json")
    assert b'"HELLO"' in play(changed, [body])
    assert changed.answer.collected is not None


@pytest.mark.parametrize("name", STREAMS)
def test_a_cut_stream_is_no_answer_for_a_client_that_asked_for_none(name: str) -> None:
    made = relay(asked(stream=False, choices=CHAT_ANSWERS[name].choices))
    start = STREAMS[name].index(b"data:") + 8
    assert play(made, [STREAMS[name][:start]], Cause.RESET) == b""
    assert not made.open
    assert made.answer.failure is not None


def test_a_plain_stop_after_a_call_of_an_event_provider_means_the_call() -> None:
    made = relay_for(EventUpstream(None), CHAT_CLIENT, asked(), steps=None, observers=None)  # type: ignore[arg-type]
    made.take([ToolCall(id="c", name="f", arguments="{}")])
    out = made.take([Finish(reason="stop")])
    assert json.loads(out[6:])["choices"][0]["finish_reason"] == "tool_calls"
    assert made.answer.finish == {0: "tool_calls"}
