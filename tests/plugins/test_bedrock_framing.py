"""Amazon's event stream cut into messages; botocore's own parser says what is right."""

from itertools import pairwise
from zlib import crc32

import pytest
from botocore.eventstream import EventStreamBuffer
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.events import Failure, Frame, FrameTooLarge
from gateway_bedrock.conformance import START, delta, end, exception, message, text
from gateway_bedrock.framing import EventStream, StreamMessage
from gateway_bedrock.reader import ConverseReader

STREAM = b"".join((START, *text(0, "caf\u00e9 \U0001f389", "!"), *end()))


def told(frames: list[Frame]) -> list[tuple[str | None, bytes | None]]:
    return [(frame.name, frame.data) for frame in frames]


def by_botocore(data: bytes) -> list[tuple[str | None, bytes | None]]:
    buffer = EventStreamBuffer()
    buffer.add_data(data)
    return [(m.headers.get(":event-type") or m.headers.get(":exception-type"), m.payload) for m in buffer]


@settings(deadline=None, max_examples=60)
@given(cuts=st.lists(st.integers(0, len(STREAM)), max_size=20))
def test_messages_are_what_botocore_reads_wherever_reads_split(cuts: list[int]) -> None:
    framing, frames = EventStream(), []
    places = [0, *sorted(cuts), len(STREAM)]
    for start, stop in pairwise(places):
        frames += framing.feed(STREAM[start:stop])
    assert told(frames) == by_botocore(STREAM)
    assert b"".join(frame.raw for frame in frames) == STREAM


@settings(deadline=None, max_examples=60)
@given(
    headers=st.dictionaries(st.text(min_size=1, max_size=20), st.text(max_size=50), max_size=5),
    payload=st.binary(max_size=200),
)
def test_any_headers_and_payload_are_read(headers: dict[str, str], payload: bytes) -> None:
    [frame] = EventStream().feed(message({**headers, ":message-type": "event", ":event-type": "x"}, payload))
    assert isinstance(frame, StreamMessage)
    assert (frame.name, frame.message_type, frame.data) == ("x", "event", payload)


def test_headers_of_every_type_are_passed_over() -> None:
    values = [b"\x00", b"\x01", b"\x02a", b"\x03ab", b"\x04abcd", b"\x05abcdefgh", b"\x06\x00\x02ab", b"\x08abcdefgh"]
    values.append(b"\x09" + b"u" * 16)
    block = b"".join(b"\x01" + bytes([97 + n]) + value for n, value in enumerate(values))
    plain = message({":event-type": "x", ":message-type": "event"}, b"{}")
    rest = plain[12:-4]
    prelude = (len(plain) + len(block)).to_bytes(4, "big") + (len(rest) - 2 + len(block)).to_bytes(4, "big")
    body = prelude + crc32(prelude).to_bytes(4, "big") + block + rest
    whole = body + crc32(body).to_bytes(4, "big")
    assert told(EventStream().feed(whole)) == [("x", b"{}")] == by_botocore(whole)


@pytest.mark.parametrize("at", range(len(START)))
def test_a_byte_that_was_changed_is_a_visible_failure(at: int) -> None:
    broken = bytearray(START)
    broken[at] ^= 0x55
    framing = EventStream()
    frames = framing.feed(delta(0, text="a") + bytes(broken) + STREAM)
    reader = ConverseReader()
    events = [event for frame in frames for event in reader.read(frame)]
    assert [type(event).__name__ for event in events] == ["Text", "Failure"]
    failure = events[-1]
    assert isinstance(failure, Failure)
    assert (failure.code, failure.status) == ("upstream_protocol", 502)
    assert framing.feed(STREAM) == []


def test_a_message_may_have_a_mebibyte_and_no_more() -> None:
    framing = EventStream(limit=200)
    frames = framing.feed(delta(0, text="a") + delta(0, text="b" * 200))
    assert len(frames) == 1
    with pytest.raises(FrameTooLarge):
        framing.feed(b"")
    with pytest.raises(FrameTooLarge):
        EventStream().feed(delta(0, text="b" * (1 << 20))[:20])


def test_a_message_that_is_not_whole_is_none() -> None:
    framing = EventStream()
    assert framing.feed(START[:-1]) == framing.end() == []


def test_the_lenient_one_replaces_invalid_text() -> None:
    bad = message({":event-type": "x", ":message-type": "event"}, b'{"a":"\xff"}')
    assert told(EventStream(lenient=True).feed(bad)) == [("x", '{"a":"\ufffd"}'.encode())]
    assert [type(e).__name__ for e in ConverseReader().read(EventStream().feed(bad)[0])] == ["Failure"]


def test_an_exception_is_named_by_its_type() -> None:
    [frame] = EventStream().feed(exception("throttlingException", "Slow down."))
    assert isinstance(frame, StreamMessage)
    assert (frame.name, frame.message_type) == ("throttlingException", "exception")
