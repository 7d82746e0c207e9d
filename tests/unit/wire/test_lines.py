"""Newline-delimited JSON cut into frames."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.events import FrameTooLarge
from gateway.wire.lines import Lines

STREAM = '{"a":"caf\u00e9"}\n\r\n{"b":1}\r\n  \n{"c":2}'.encode()
SAID = ['{"a":"caf\u00e9"}', '{"b":1}', '{"c":2}']


@settings(deadline=None, max_examples=60)
@given(cuts=st.lists(st.integers(0, len(STREAM)), max_size=10))
def test_lines_are_the_same_wherever_reads_split(cuts: list[int]) -> None:
    framing, frames = Lines(), []
    for start, stop in pairwise([0, *sorted(cuts), len(STREAM)]):
        frames += framing.feed(STREAM[start:stop])
    assert [(f.data or b"").decode().strip() for f in frames] == SAID[:2]
    frames += framing.end()
    assert [(f.data or b"").decode().strip() for f in frames] == SAID


@pytest.mark.parametrize("data", [b"x" * 11, b"x" * 11 + b"\n"])
def test_a_line_has_a_limit_and_lines_before_it_are_told(data: bytes) -> None:
    framing = Lines(limit=10)
    assert len(framing.feed(b"{}\n" + data)) == 1
    for more in (framing.end, lambda: framing.feed(b"{}\n")):
        with pytest.raises(FrameTooLarge):
            more()
    with pytest.raises(FrameTooLarge):
        Lines(limit=10).feed(data)


def test_the_lenient_one_replaces_invalid_text() -> None:
    assert Lines(lenient=True).feed(b"\xff\n")[0].data == "\ufffd".encode()
    assert Lines().feed(b"\xff\n")[0].data == b"\xff"
