"""Messages streams cut anywhere: never a clean end without the whole answer, and never other text than it had."""

import copy
from collections.abc import Iterator, Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from messages_streams import OVERLOADED, STREAMS, answered, read

from gateway.events import Answer, Cause, End, Event, Failure, Frame, Reasoning, Text, ToolCall
from gateway.testing.canned import Said, said
from gateway.wire.chat import CHAT, CHAT_CLIENT
from gateway.wire.messages import MESSAGES, MESSAGES_CLIENT

ASKED = {
    "messages": MESSAGES_CLIENT.read_request(b'{"model":"m","max_tokens":9,"messages":[],"stream":true}'),
    "chat": CHAT_CLIENT.read_request(b'{"model":"m","messages":[],"stream":true}'),
}
CHAT_STREAM = (
    b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"caf\xc3\xa9"},"finish_reason":null}]}\n\n'
    b'data: {"id":"c","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"t","type":"function",'
    b'"function":{"name":"f","arguments":"{}"}}]},"finish_reason":null}]}\n\n'
    b'data: {"id":"c","choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}\n\n'
    b"data: [DONE]\n\n"
)


def cuts(whole: bytes, upstream: str) -> Iterator[list[Frame]]:
    """The frames of a stream that ends after each of its bytes, as far as they differ from the cut before."""
    framing, frames = (CHAT if upstream == "chat" else MESSAGES).framing(), []
    yield []
    for at in range(len(whole)):
        came = framing.feed(whole[at : at + 1])
        frames += came
        rest = copy.deepcopy(framing).end()
        if came or rest:
            yield [*frames, *rest]


def passed(frames: Sequence[Frame], client: str, upstream: str) -> tuple[bytes, Answer]:
    """What a client is written of a stream that ends there, and what is known of the answer."""
    reader = (CHAT if upstream == "chat" else MESSAGES).reader()
    answer, events = told([event for frame in frames for event in reader.read(frame)], upstream)
    dialect = CHAT_CLIENT if client == "chat" else MESSAGES_CLIENT
    writer = dialect.writer(ASKED[client], upstream)
    if isinstance(events[-1], Failure):
        return writer.write(events[:-1]) + writer.failure(events[-1]), answer
    return writer.write(events), answer


def told(events: Sequence[Event], upstream: str) -> tuple[Answer, list[Event]]:
    """The events as far as the one that ends the answer, which the answer itself says where the upstream did not."""
    answer, out = Answer(dialect=upstream), []
    for event in events:
        answer.note(event)
        out.append(event)
        if isinstance(event, End | Failure):
            return answer, out
    return answer, [*out, answer.verdict(Cause.EOF)]


def words(events: Sequence[Event]) -> Said:
    return said(event for event in events if isinstance(event, Text | Reasoning | ToolCall))


def ends_well(data: bytes, client: str) -> bool:
    return answered(read(data, CHAT if client == "chat" else MESSAGES)).failure is None


@pytest.mark.parametrize("client", ["messages", "chat"])
@pytest.mark.parametrize("name", STREAMS)
def test_no_cut_ends_well_before_the_answer_was_whole(name: str, client: str) -> None:
    whole = b"".join(STREAMS[name])
    wanted = words(read(whole))
    reader = CHAT if client == "chat" else MESSAGES
    for frames in cuts(whole, "messages"):
        out, answer = passed(frames, client, "messages")
        got = words(read(out, reader))
        assert wanted.text.startswith(got.text)
        assert wanted.reasoning.startswith(got.reasoning)
        if ends_well(out, client):
            assert answer.finish
            assert got == wanted


def test_no_cut_of_a_chat_stream_ends_well_for_a_messages_client() -> None:
    wanted = words(read(CHAT_STREAM, CHAT))
    for frames in cuts(CHAT_STREAM, "chat"):
        out, _ = passed(frames, "messages", "chat")
        got = words(read(out))
        assert wanted.text.startswith(got.text)
        if ends_well(out, "messages"):
            assert got == wanted


def test_an_error_in_the_midst_is_seen_by_both_clients() -> None:
    begun = b"".join(STREAMS["text"][:3])
    for client in ("messages", "chat"):
        frames = MESSAGES.framing().feed(begun + OVERLOADED + b"".join(STREAMS["text"][3:]))
        out, _ = passed(frames, client, "messages")
        assert not ends_well(out, client)
        assert b"Overloaded" in out
        assert words(read(out, CHAT if client == "chat" else MESSAGES)).text == "Hello"


@settings(max_examples=40, deadline=None)
@given(
    name=st.sampled_from(sorted(STREAMS)),
    cuts=st.lists(st.integers(0, 4000), max_size=30),
    newline=st.sampled_from([b"\n", b"\r\n", b"\r"]),
)
def test_what_is_written_does_not_depend_on_where_reads_split(name: str, cuts: list[int], newline: bytes) -> None:
    whole = b"".join(STREAMS[name]).replace(b"\n", newline)
    framing, reader = MESSAGES.framing(), MESSAGES.reader()
    writer = MESSAGES_CLIENT.writer(ASKED["messages"], "chat")
    places = sorted({0, len(whole), *(cut for cut in cuts if cut < len(whole))})
    out = b""
    for begin, end in pairwise(places):
        for frame in framing.feed(whole[begin:end]):
            out += writer.write(reader.read(frame))
    for frame in framing.end():
        out += writer.write(reader.read(frame))
    once = MESSAGES_CLIENT.writer(ASKED["messages"], "chat")
    assert out == b"".join(once.write([event]) for event in read(b"".join(STREAMS[name])))
