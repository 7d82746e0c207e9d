"""What grows is called so, and what only trembles is flat."""

import random

from trend import trend

DICE = random.Random(1)


def test_what_grows_is_seen_through_its_noise() -> None:
    line = trend([(second, 1000 + second + DICE.gauss(0, 20)) for second in range(600)])
    assert not line.flat
    assert line.low < 3600 < line.high


def test_what_trembles_is_flat() -> None:
    line = trend([(second, 1000 + DICE.gauss(0, 20)) for second in range(600)])
    assert line.flat
    assert line.low < 0 < line.high


def test_what_shrinks_is_flat() -> None:
    assert trend([(second, 1000 - second) for second in range(600)]).flat
