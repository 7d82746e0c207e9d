"""Gemini's streams cut at each byte, for every kind of client."""

import pytest
from gemini_streams import BROKEN, STREAMS
from replay import CLIENTS, replayed, run, shown

from gateway_gemini.dialect import GEMINI


@pytest.mark.parametrize("name", STREAMS)
def test_no_cut_ends_well_before_the_answer_was_whole(name: str) -> None:
    counts = replayed(GEMINI, STREAMS[name])
    print(shown(name, counts))
    assert any(told["whole"] for told in counts.values()) or name == "an_array"


@pytest.mark.parametrize("name", BROKEN)
def test_what_broke_upstream_is_seen_by_everyone(name: str) -> None:
    counts = replayed(GEMINI, BROKEN[name], fails=True)
    print(shown(name, counts))
    assert not any(told["whole"] for told in counts.values())
    chat = run(GEMINI, CLIENTS[0], BROKEN[name], b"".join(BROKEN[name].writes))
    assert b"overloaded" in chat.out or b"function call" in chat.out
