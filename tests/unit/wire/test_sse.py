"""Server-sent events are cut the same way wherever reads split and however lines end."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.events import FrameTooLarge
from gateway.wire.sse import EVENT_LIMIT, Sse

Seen = list[tuple[bytes, str | None]]


def cut(data: bytes, *, splits: tuple[int, ...] = (), lenient: bool = False) -> Seen:
    framing = Sse(lenient=lenient)
    edges = [0, *sorted(min(s, len(data)) for s in splits), len(data)]
    frames = [f for a, b in itertools.pairwise(edges) for f in framing.feed(data[a:b])]
    frames += framing.end()
    return [(f.data, f.name) for f in frames if f.data is not None]


@pytest.mark.parametrize(
    ("wire", "seen"),
    [
        (b"data: a\n\n", [(b"a", None)]),
        (b"data:a\n\n", [(b"a", None)]),
        (b"data:  a\n\n", [(b" a", None)]),
        (b"data: a\n\ndata: b\n\n", [(b"a", None), (b"b", None)]),
        (b"data: a\r\n\r\ndata: b\r\n\r\n", [(b"a", None), (b"b", None)]),
        (b"data: a\r\rdata: b\r\r", [(b"a", None), (b"b", None)]),
        (b"data: a\r\n\ndata: b\n\r\n", [(b"a", None), (b"b", None)]),
        (b"\xef\xbb\xbfdata: a\n\n", [(b"a", None)]),
        (b"\n\n\ndata: a\n\n\n\n\ndata: b\n\n", [(b"a", None), (b"b", None)]),
        (b": comment\n\ndata: a\n\n", [(b"a", None)]),
        (b": comment\ndata: a\n\n", [(b"a", None)]),
        (b"data: a\ndata: b\n\n", [(b"a\nb", None)]),
        (b"data\ndata\n\n", [(b"\n", None)]),
        (b"data\n\n", [(b"", None)]),
        (b"event: x\ndata: a\n\n", [(b"a", "x")]),
        (b"event: x\ndata: a\ndata: b\n\n", [(b"a\nb", "x")]),
        (b"data: a\nevent: x\n\n", [(b"a", "x")]),
        (b"event:\ndata: a\n\n", [(b"a", None)]),
        (b"event: message\ndata: a\n\n", [(b"a", None)]),
        (b"event: x\n\ndata: a\n\n", [(b"a", None)]),
        (b"event: x\nevent: y\ndata: a\n\n", [(b"a", "y")]),
        (b"event: x\nid: 1\ndata: a\n\n", [(b"a", "x")]),
        (b"id: 1\nretry: 5\nfoo: bar\ndatax: 1\ndata: a\n\n", [(b"a", None)]),
        (b"data: a: b\n\n", [(b"a: b", None)]),
        (b"data: a\x0bb\xe2\x80\xa8c\xc2\x85\n\n", [(b"a\x0bb\xe2\x80\xa8c\xc2\x85", None)]),
        (b"data: a\n\ndata: half", [(b"a", None)]),
        (b"data: a\n\ndata: half\n", [(b"a", None)]),
        (b"data: a\n\ndata: [DONE]", [(b"a", None), (b"[DONE]", None)]),
        (b"data: [DONE] bye\r\n", [(b"[DONE] bye", None)]),
        (b"", []),
        (b"\xef\xbb", []),
        (b"\xef\xbbdata: a\n\ndata: b\n\n", [(b"b", None)]),
    ],
)
def test_events_are_cut_as_the_standard_says_wherever_reads_split(wire: bytes, seen: Seen) -> None:
    assert cut(wire) == seen
    assert cut(wire, splits=tuple(range(1, len(wire)))) == seen
    for at in range(1, len(wire)):
        assert cut(wire, splits=(at,)) == seen, at


@given(st.lists(st.sampled_from([b"data: a", b"data:b", b"data", b"event: e", b"event", b": c", b"id: 1", b"x", b""])))
def test_line_ends_of_all_kinds_mean_the_same(lines: list[bytes]) -> None:
    wire = [line_end.join([*lines, b"", b""]) for line_end in (b"\n", b"\r\n", b"\r")]
    assert cut(wire[0]) == cut(wire[1]) == cut(wire[2])


PIECES = st.lists(
    st.sampled_from(
        [b"data: a", b"data:", b"event: e", b"\n", b"\n\n", b"\r", b"\r\n", b": c", b"\xef\xbb\xbf", b"\xff"]
    )
)


@settings(max_examples=500)
@given(PIECES.map(b"".join), st.lists(st.integers(0, 60), max_size=6), st.booleans())
def test_frames_do_not_depend_on_where_reads_split(wire: bytes, splits: list[int], lenient: bool) -> None:
    whole = cut(wire, lenient=lenient)
    assert cut(wire, splits=tuple(splits), lenient=lenient) == whole
    assert cut(wire, splits=tuple(range(1, len(wire))), lenient=lenient) == whole


@given(
    st.lists(st.sampled_from([b"data: a\n\n", b"data: b\r\n\r\n", b": c\n\n", b"event: e\ndata: x\n\n"]), min_size=1)
)
def test_raw_bytes_are_kept(frames: list[bytes]) -> None:
    wire = b"".join(frames)
    assert b"".join(f.raw for f in Sse().feed(wire)) == wire


def test_a_read_that_is_one_event_is_not_copied() -> None:
    framing = Sse()
    framing.feed(b": first\n\n")
    read = b"data: " + b"x" * 50 + b"\n\n"
    assert framing.feed(read)[0].raw is read


def test_an_event_at_the_limit_passes_and_one_above_does_not() -> None:
    body = b"x" * (EVENT_LIMIT - len(b"data: \n\n"))
    assert [f.data for f in Sse().feed(b"data: " + body + b"\n\n")] == [body]
    with pytest.raises(FrameTooLarge):
        Sse().feed(b"data: " + body + b"y\n\n")


def test_an_endless_line_is_refused_at_the_limit() -> None:
    framing = Sse()
    framing.feed(b"data: a\n\n")
    with pytest.raises(FrameTooLarge):
        for _ in range(EVENT_LIMIT // 4096 + 1):
            framing.feed(b"x" * 4096)


def test_events_before_an_endless_line_in_the_same_read_are_given_first() -> None:
    framing = Sse(limit=20)
    assert [f.data for f in framing.feed(b"data: a\n\ndata: " + b"x" * 30)] == [b"a"]
    with pytest.raises(FrameTooLarge):
        framing.feed(b"\n\n")
    with pytest.raises(FrameTooLarge):
        framing.end()


def test_lenient_framing_replaces_invalid_utf8_as_a_browser_does() -> None:
    wire = b"data: x\xff\xfey \xe6\xbc \xf0\x9f\x8e \xed\xa0\x80 \xc3\xa9\n\n"
    expected = "x\ufffd\ufffdy \ufffd \ufffd \ufffd\ufffd\ufffd é".encode()
    assert cut(wire, lenient=True) == [(expected, None)]
    assert cut(wire) == [(wire[6:-2], None)]


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_lenient_framing_takes_a_last_event_without_its_blank_line(end: bytes) -> None:
    wire = b"data: a\n\nevent: x\ndata: b" + end
    assert cut(wire, lenient=True) == [(b"a", None), (b"b", "x")]
    assert cut(wire, splits=tuple(range(1, len(wire))), lenient=True) == [(b"a", None), (b"b", "x")]
    assert cut(wire) == [(b"a", None)]
    assert cut(b"data: a\n\ndata: half a line", lenient=True) == [(b"a", None)]


@pytest.mark.parametrize("name", [b"event: message", b"event:message", b"event: ", b"event"])
@pytest.mark.parametrize("form", [b"%s\ndata: a\n\n", b"data: a\n%s\n\n", b"%s\r\ndata: a\r\n\r\n"])
def test_the_default_type_is_no_name_but_for_clients_that_look_for_the_field(name: bytes, form: bytes) -> None:
    raw = form % name
    assert cut(raw) == [(b"a", None)]
    assert cut(raw, lenient=True) == [(b"a", "message" if b"message" in name else "")]
