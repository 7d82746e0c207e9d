"""Notes that no journal has yet are found when the process is gone, and those that one has are not found again."""

import sys
from pathlib import Path

import pytest
from residence import resident_kb

from gateway.usage.daybook import Daybook, unposted

SIZE = 256
"""Of a half, in these tests: three of the notes below."""
NOTES = [b'[{"attempt_id":"%d"},false]%s' % (number, b" " * 40) for number in range(9)]


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "book"


@pytest.fixture
def book(path):
    made = Daybook(path, SIZE)
    yield made
    made.close()


def test_what_was_noted_is_there_at_once(book, path):
    for count in range(1, 4):
        assert book.note(NOTES[count - 1]) is not None
        assert unposted(path) == NOTES[:count]


def test_what_was_posted_is_not_found_again(book, path):
    places = [book.note(one) for one in NOTES[:3]]
    book.post(places[1])
    assert unposted(path) == [NOTES[2]]
    book.post(places[2])
    assert unposted(path) == []


def test_a_half_that_was_posted_is_begun_anew(book, path):
    for one in NOTES:
        place = book.note(one)
        assert unposted(path) == [one]
        book.post(place)
    assert unposted(path) == []


def test_what_is_left_of_longer_notes_is_nothing(book, path):
    book.post([book.note(one) for one in NOTES[:3]][-1])
    book.note(b"[1]")
    assert unposted(path) == [b"[1]"]


def test_the_halves_take_turns(book, path):
    places = [book.note(one) for one in NOTES[:6]]
    assert sorted(unposted(path)) == NOTES[:6]
    book.post(places[2])  # the first half
    assert unposted(path) == NOTES[3:6]
    places += [book.note(one) for one in NOTES[6:9]]
    assert sorted(unposted(path)) == NOTES[3:9]
    book.post(places[5])
    book.post(places[7])
    assert unposted(path) == [NOTES[8]]


def test_a_book_that_is_full_says_so_and_loses_nothing(book, path):
    places = [book.note(one) for one in NOTES[:6]]
    assert book.note(NOTES[6]) is None
    book.post(places[1])  # only a part of the half
    assert book.note(NOTES[6]) is None
    assert sorted(unposted(path)) == NOTES[2:6]
    book.post(places[2])
    assert book.note(NOTES[6]) is not None
    assert sorted(unposted(path)) == NOTES[3:7]


def test_a_note_that_is_larger_than_a_half_is_not_taken(book, path):
    assert book.note(b"x" * SIZE) is None
    assert book.note(NOTES[0]) is not None
    assert unposted(path) == NOTES[:1]


def test_a_note_that_was_being_made_is_not_found(book, path):
    book.note(NOTES[0])
    place = book.note(NOTES[1])
    whole = path.read_bytes()
    for cut in range(place[1] - 1 - len(NOTES[1]), place[1] - 1):
        path.write_bytes(whole[:cut] + b"\0" * (len(whole) - cut))
        assert unposted(path) == NOTES[:1], cut


def test_a_process_that_was_killed_while_it_made_the_book_left_nothing(path):
    assert unposted(path) == []
    for size in (0, 3, SIZE):
        path.write_bytes(bytes(size))
        assert unposted(path) == []


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what of a mapping is in memory")
def test_only_what_is_used_of_it_takes_memory(path):
    book = Daybook(path)
    book.note(NOTES[0])
    assert 0 < resident_kb(path) <= 128
    book.close()
