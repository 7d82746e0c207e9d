"""A worker's place among the journals is its own, and is found again when the worker is gone."""

import fcntl
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from gateway.usage import shelf
from gateway.usage.shelf import Shelf


@pytest.fixture
def before_the_lock(monkeypatch) -> Callable[[Callable[[], object]], None]:
    """What happens when the next place has its file, and not yet the lock on it."""

    def plan(happens: Callable[[], object]) -> None:
        def late(descriptor: int, how: int) -> None:
            monkeypatch.undo()
            happens()
            fcntl.flock(descriptor, how)

        monkeypatch.setattr(shelf, "fcntl", type("late", (), {**vars(fcntl), "flock": staticmethod(late)}))

    return plan


def orphans(of: Shelf) -> list[Path]:
    with of.orphans() as found:
        return list(found)


def taken_away(by: Shelf) -> None:
    with by.orphans() as found:
        for pages in found:
            by.remove(pages)


def test_a_place_that_was_taken_away_for_an_orphans_while_it_was_made_is_made_anew(tmp_path, before_the_lock):
    other = Shelf(tmp_path)
    before_the_lock(lambda: taken_away(other))
    mine = Shelf(tmp_path)
    assert orphans(other) == []
    mine.close()
    assert orphans(other) == [mine.pages]
    other.close()


def test_a_place_that_another_one_looks_at_while_it_is_made_is_made_anew(tmp_path, before_the_lock):
    other = Shelf(tmp_path)
    with ExitStack() as looking:
        before_the_lock(lambda: looking.enter_context(other.orphans()))
        mine = Shelf(tmp_path)
    mine.close()
    assert mine.pages in orphans(other)
    other.close()
