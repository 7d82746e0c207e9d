"""Ids: their form, and the order they sort in."""

import itertools
import uuid

import pytest

from gateway.wire.ids import new_id


def test_an_id_is_a_uuid_of_version_7() -> None:
    made = new_id()
    assert made == uuid.UUID(made).hex
    assert (uuid.UUID(made).version, uuid.UUID(made).variant) == (7, uuid.RFC_4122)


def test_ids_sort_by_the_time_they_were_made(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = itertools.count(1_700_000_000_000_000_000, 1_000_000)
    monkeypatch.setattr("time.time_ns", lambda: next(clock))
    made = [new_id() for _ in range(1000)]
    assert made == sorted(made)


def test_ids_of_one_moment_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time_ns", lambda: 1_700_000_000_000_000_000)
    made = {new_id() for _ in range(10_000)}
    assert len(made) == 10_000
    assert len({one[13:] for one in made}) == 10_000
    assert {one[:13] for one in made} == {"018bcfe568007"}
