"""The response parser: right about every framing, and the same however the bytes are split."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.egress.message import Message

HEAD = b"HTTP/1.1 200 OK\r\n"


def read(pieces: list[bytes], *, head_only: bool = False, end: bool = True) -> tuple[object, ...]:
    """What a message fed with these pieces says in the end."""
    message = Message(head_only=head_only)
    body = b""
    for piece in pieces:
        body += message.feed(piece)
        if message.complete or message.error:
            break
    if end and not message.error:
        message.eof()
    message.close()
    return message.status, message.headers, body, message.complete, bool(message.error), message.compressed


def split(data: bytes, cuts: list[int]) -> list[bytes]:
    points = [0, *sorted({cut % (len(data) + 1) for cut in cuts}), len(data)]
    return [data[a:b] for a, b in pairwise(points) if a < b]


tokens = st.text("abcdefghijklmnopqrstuvwxyz-", min_size=1, max_size=12).map(lambda name: f"x-{name}")
values = st.text("abcXYZ 0123;=,\xe4\xff", max_size=20).map(str.strip)
bodies = st.lists(st.binary(min_size=1, max_size=60), max_size=6)
cuts = st.lists(st.integers(0, 5000), max_size=12)


@st.composite
def responses(draw: st.DrawFn) -> tuple[bytes, int, list[tuple[str, str]], bytes]:
    """A whole response, and what it should be read as."""
    interim = draw(st.sampled_from((b"", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Hint\r\nlink: x\r\n\r\n")))
    status = draw(st.sampled_from((200, 201, 204, 304, 404, 429, 500, 529)))
    headers = draw(st.lists(st.tuples(tokens, values), max_size=4))
    pieces = [] if status in (204, 304) else draw(bodies)
    body = b"".join(pieces)
    framing = "none" if status in (204, 304) else draw(st.sampled_from(("length", "chunked", "trailers", "close")))
    if framing == "length":
        headers.append(("content-length", str(len(body))))
        wire = body
    elif framing in ("chunked", "trailers"):
        headers.append(("transfer-encoding", "chunked"))
        wire = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
        wire += b"0\r\n" + (b"x-sum: 1\r\nx-b: 2\r\n" if framing == "trailers" else b"") + b"\r\n"
    else:
        wire = body
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers).encode("latin-1")
    return interim + b"HTTP/1.1 %d Any\r\n" % status + lines + b"\r\n" + wire, status, headers, body


@given(responses(), cuts)
def test_a_response_reads_the_same_however_it_is_split(
    response: tuple[bytes, int, list[tuple[str, str]], bytes], cuts: list[int]
) -> None:
    data, status, headers, body = response
    assert read(split(data, cuts)) == read([data]) == (status, headers, body, True, False, False)


@given(responses(), st.data())
def test_a_cut_response_is_never_complete_unless_closing_is_its_end(
    response: tuple[bytes, int, list[tuple[str, str]], bytes], data: st.DataObject
) -> None:
    wire, _, headers, body = response
    cut = data.draw(st.integers(0, len(wire) - 1))
    _, _, got, complete, error, _ = read([wire[:cut]])
    assert not error
    assert body.startswith(got)
    framed = any(name in ("content-length", "transfer-encoding") for name, _ in headers)
    if framed:
        assert not complete or got == body == b""


@given(responses(), cuts, st.integers(0, 400), st.binary(min_size=1, max_size=3))
def test_damaged_bytes_are_judged_the_same_however_they_are_split(
    response: tuple[bytes, int, list[tuple[str, str]], bytes], cuts: list[int], where: int, damage: bytes
) -> None:
    data = response[0]
    where %= len(data)
    data = data[:where] + damage + data[where + 1 :]
    whole = read([data])
    halves = read(split(data, cuts))
    assert halves[3:5] == whole[3:5]
    assert halves[2] == whole[2]


@given(st.binary(max_size=300), cuts)
def test_noise_is_no_response_and_raises_nothing(data: bytes, cuts: list[int]) -> None:
    assert read(split(data, cuts))[3] is False or data.startswith(b"HTTP/")


@pytest.mark.parametrize(
    "data",
    [
        HEAD + b"content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        HEAD + b"transfer-encoding: chunked\r\ncontent-length: 2\r\n\r\n0\r\n\r\n",
        HEAD + b"content-length: 2\r\ncontent-length: 3\r\n\r\nhi",
        HEAD + b"content-length: +2\r\n\r\nhi",
        HEAD + b"content-length: -2\r\n\r\nhi",
        HEAD + b"content-length: 0x2\r\n\r\nhi",
        HEAD + b"content-length: 99999999999999999999999\r\n\r\nhi",
        HEAD + b"content-length : 2\r\n\r\nhi",
        HEAD + b"transfer-encoding: gzip\r\n\r\nhi",
        HEAD + b"transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        HEAD + b"transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        HEAD + b"transfer-encoding: xchunked\r\n\r\n0\r\n\r\n",
        HEAD + b"a: b\r\n folded\r\ncontent-length: 0\r\n\r\n",
        HEAD + b"a: b\ncontent-length: 0\r\n\r\n",
        HEAD + b"a: b\rc: d\r\ncontent-length: 0\r\n\r\n",
        HEAD + b"a: \x00\r\ncontent-length: 0\r\n\r\n",
        HEAD + b"a b: c\r\ncontent-length: 0\r\n\r\n",
        HEAD + b"transfer-encoding: chunked\r\n\r\nzz\r\nhi\r\n0\r\n\r\n",
        HEAD + b"transfer-encoding: chunked\r\n\r\n3\r\nhi\r\n0\r\n\r\n",
        HEAD + b"transfer-encoding: chunked\r\n\r\n2\nhi\r\n0\r\n\r\n",
        b"HTTP/2.0 200 OK\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/0.9 200 OK\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 099 Low\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 99 Low\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 600 High\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n",
        b"<html>no http at all</html>",
    ],
)
def test_what_breaks_the_protocol_is_refused(data: bytes) -> None:
    *_, complete, error, _ = read([data])
    assert error
    assert not complete


def test_white_space_around_a_value_is_not_the_values() -> None:
    assert read([HEAD + b"a: \t b c \t\r\ncontent-length: 0 \r\n\r\n"])[1] == [("a", "b c"), ("content-length", "0")]


def test_the_answer_to_head_has_no_body_whatever_its_length_says() -> None:
    assert read([HEAD + b"content-length: 7\r\n\r\n"], head_only=True, end=False)[2:5] == (b"", True, False)


def test_a_body_that_comes_though_head_was_asked_is_nobodys() -> None:
    data = HEAD + b"content-length: 7\r\n\r\n7 bytes"
    assert read([data], head_only=True)[2:5] == (b"", True, False)
    assert read([data[:-7], data[-7:]], head_only=True)[2:5] == (b"", True, False)


def test_a_second_answer_is_no_part_of_the_first() -> None:
    data = HEAD + b"content-length: 1\r\n\r\na"
    assert read([data + data])[2:5] == (b"a", True, False)


def test_a_body_until_the_connection_closes_is_complete_only_then() -> None:
    assert read([HEAD + b"\r\nabc"], end=False)[2:4] == (b"abc", False)
    assert read([HEAD + b"\r\nabc"], end=True)[2:4] == (b"abc", True)


@pytest.mark.parametrize(
    ("data", "reusable"),
    [
        (HEAD + b"content-length: 2\r\n\r\nhi", True),
        (HEAD + b"content-length: 2\r\nconnection: close\r\n\r\nhi", False),
        (HEAD + b"content-length: 2\r\nconnection: close\r\n\r\nhiMORE", False),
        (HEAD + b"content-length: 2\r\n\r\nhiMORE", False),
        (HEAD + b"content-length: 2\r\n\r\nhi" + HEAD + b"content-length: 0\r\n\r\n", False),
        (HEAD + b"connection: upgrade\r\nupgrade: h2c\r\ncontent-length: 2\r\n\r\nhi", True),
        (b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nhi", False),
        (b"HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 2\r\n\r\nhi", True),
    ],
)
def test_a_connection_is_good_for_another_message_only_when_both_sides_know_where_this_one_ended(
    data: bytes, reusable: bool
) -> None:
    message = Message()
    assert message.feed(data) == b"hi"
    assert message.complete
    assert not message.error
    assert message.reusable is reusable


@pytest.mark.parametrize("line", [b"x-a: ", b"x" * 100])
def test_an_endless_header_line_is_refused_long_before_it_ends(line: bytes) -> None:
    message = Message(limit=4096)
    message.feed(HEAD + line)
    fed = 0
    while not message.error and fed < 100_000:
        message.feed(b"y" * 1000)
        fed += 1000
    assert message.error
    assert fed <= 5000


@pytest.mark.parametrize("endless", [b"HTTP/1.1 100 Go on\r\n\r\n", HEAD + b"a: b\r\n"])
def test_heads_without_end_are_refused(endless: bytes) -> None:
    message = Message(limit=4096)
    for _ in range(1000):
        message.feed(endless if endless.startswith(b"HTTP/1.1 1") or not message.started else b"a: b\r\n")
        if message.error:
            return
    pytest.fail("took 1000 of them")


def test_trailers_are_bounded_as_headers_are() -> None:
    message = Message(limit=4096)
    message.feed(HEAD + b"transfer-encoding: chunked\r\n\r\n0\r\n")
    for _ in range(10_000):
        message.feed(b"x-t: yyyyyyyyyy\r\n")
        if message.error:
            return
    pytest.fail("took 10,000 trailers")
