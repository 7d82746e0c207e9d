"""How much of a hurry signals mean."""

from gateway.server.ending import Ending, Insistence


def asked(*times: float) -> list[Ending | None]:
    left = iter(times)
    insistence = Insistence(lambda: next(left))
    return [insistence.again() for _ in times]


def test_the_second_hurries_and_the_third_does_not_wait() -> None:
    assert asked(100, 103, 110, 111) == [Ending.DRAIN, Ending.HURRY, Ending.NOW, Ending.NOW]


def test_one_that_comes_twice_at_once_is_one() -> None:
    assert asked(100, 100.01, 107, 107.01) == [Ending.DRAIN, None, Ending.HURRY, None]


def test_whoever_sends_them_without_a_pause_is_heard_too() -> None:
    assert asked(*(100 + 0.2 * number for number in range(7))) == [
        *(Ending.DRAIN, None, None, Ending.HURRY, None, None, Ending.NOW),
    ]
