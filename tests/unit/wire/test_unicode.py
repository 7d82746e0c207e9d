"""Halves of surrogate pairs that come in two deltas."""

from gateway.wire.unicode import Halves


def test_a_pair_is_joined_inside_its_own_text() -> None:
    halves = Halves()
    assert halves.joined("a", "x\ud83c") == "x"
    assert halves.joined("b", "y") == "y"
    assert halves.joined("a", "\udf89") == "\U0001f389"
    assert halves.left("a") == ""


def test_a_half_that_nothing_completes_is_replaced() -> None:
    halves = Halves()
    assert halves.joined("a", "\ud83c") == ""
    assert halves.joined("a", "z") == "\ufffdz"
    assert halves.joined("a", "\ud83c") == ""
    assert (halves.left("a"), halves.left("a")) == ("\ufffd", "")
