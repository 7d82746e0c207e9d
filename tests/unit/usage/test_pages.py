"""The file of a journal: what is asked of it costs few turns of the thread that asks."""

import sqlite3

import pytest
from accounts import attempt, ended

from gateway.domain import Outcome, Route
from gateway.usage.pages import adopt, after, forget, note, open_pages, reach, write
from gateway.usage.record import begun_record


@pytest.fixture
def pages(tmp_path):
    opened = open_pages(tmp_path / "pages.sqlite")
    yield opened
    opened.close()


def begins(*attempts) -> dict[str, bytes]:
    return {one.id: note(begun_record(one), over=False) for one in attempts}


def ends(*attempts) -> dict[str, bytes]:
    return {one.id: note(ended(one), over=True) for one in attempts}


def statements(pages: sqlite3.Connection) -> set[str]:
    """Those that are run from now on; what a trigger does is told as the statement that set it off."""
    run: set[str] = set()
    pages.set_trace_callback(run.add)
    return run


def test_a_commit_is_one_statement_whatever_was_noted(pages):
    """Between two statements the thread waits for the interpreter: many of them took 100 ms on a busy machine."""
    attempts = [attempt(number) for number in range(20)]
    write(pages, begins(*attempts[:10]), {}, [])
    run = statements(pages)
    write(pages, begins(attempt(99)), ends(*attempts), [one.id for one in attempts[:10]])
    assert len(run) == 1
    assert [record.attempt_id for _, record in after(pages, "sink", 100)] == [one.id for one in attempts]
    assert pages.execute("SELECT attempt_id FROM begun").fetchall() == [("e99-1",)]


def test_a_batch_is_read_and_noted_in_a_statement_and_a_row_each(pages):
    write(pages, {}, ends(*map(attempt, range(100))), [])
    run = statements(pages)
    numbers = [number for number, _ in after(pages, "sink", 60)]
    reach(pages, "sink", numbers[-1])
    assert forget(pages, ["sink"], keep=100).records == 40
    assert numbers == list(range(1, 61))
    assert len(run) == 5


def test_only_what_every_sink_has_is_forgotten(pages):
    write(pages, {}, ends(*map(attempt, range(10))), [])
    reach(pages, "quick", 10)
    assert forget(pages, ["quick", "never reached"], keep=100)[:2] == (0, 10)
    reach(pages, "slow", 4)
    assert forget(pages, ["quick", "slow"], keep=100)[:2] == (0, 6)
    assert forget(pages, [], keep=100)[:2] == (0, 6)
    assert forget(pages, ["quick"], keep=100)[:2] == (0, 0)


def test_what_is_written_twice_is_there_once_as_it_was_first(pages):
    one = attempt(1)
    write(pages, begins(one), {}, [])
    write(pages, {}, ends(one), [one.id])
    one.number = 2
    write(pages, {}, ends(one), [one.id])
    assert [(record.outcome, record.number) for _, record in after(pages, "sink", 10)] == [(Outcome.OK, 1)]
    assert pages.execute("SELECT count(*) FROM begun").fetchone() == (0,)


def test_a_commit_that_fails_in_the_middle_leaves_nothing(pages):
    """The begun one is stored first; then the number of a settled one cannot be given."""
    write(pages, {}, ends(attempt(1)), [])
    pages.execute("UPDATE sqlite_sequence SET seq = 9223372036854775807")
    with pytest.raises(sqlite3.Error):
        write(pages, begins(attempt(2)), ends(attempt(3)), [])
    assert pages.execute("SELECT count(*) FROM begun").fetchone() == (0,)
    assert len(after(pages, "sink", 10)) == 1


@pytest.mark.parametrize("name", ['"\\/\b\t\n', "\0 and \x1f", "é \u2028 \U0001f600", "],[{}", "", "'"])
def test_a_record_is_handed_on_as_it_was_noted(pages, name):
    one = attempt(1)
    one.exchange.route = Route(name, one.exchange.route.targets)
    record = ended(one)
    write(pages, {}, {one.id: note(record, over=True)}, [])
    assert after(pages, "sink", 10) == [(1, record)]


def test_a_file_whose_records_cannot_be_read_is_reported_as_one(pages):
    pages.execute("INSERT INTO settled (attempt_id, record) VALUES ('e1-1', '{\"of\": ')")
    with pytest.raises(sqlite3.DataError, match="cannot be read"):
        after(pages, "sink", 10)


def test_an_orphan_with_a_record_nobody_can_read_is_refused_whole(pages, tmp_path):
    orphan = tmp_path / "orphan.sqlite"
    left = open_pages(orphan)
    write(left, begins(attempt(1)), {}, [])
    left.execute("INSERT INTO settled (attempt_id, record) VALUES ('e2-1', '{\"of\": \"another time\"}')")
    left.close()
    with pytest.raises(sqlite3.DataError, match="cannot be read"):
        adopt(pages, orphan)
    assert after(pages, "sink", 10) == []


def test_notes_that_did_not_reach_an_orphan_are_taken_over_with_it(pages, tmp_path):
    """Of an attempt the end is the truth, wherever it stands; what only began is lost."""
    orphan = tmp_path / "orphan.sqlite"
    left = open_pages(orphan)
    one, two, three, four = map(attempt, range(4))
    write(left, begins(one, two), ends(three), [])
    left.close()
    notes = [*begins(four, one).values(), *ends(one).values(), *begins(three).values()]
    assert adopt(pages, orphan, notes) == 4
    outcomes = {record.attempt_id: record.outcome for _, record in after(pages, "sink", 10)}
    assert outcomes == {one.id: Outcome.OK, two.id: Outcome.LOST, three.id: Outcome.OK, four.id: Outcome.LOST}


@pytest.mark.parametrize("tables", [0, 1, 2])
def test_an_orphan_whose_worker_was_killed_while_it_made_it_holds_nothing(pages, tmp_path, tables):
    orphan = tmp_path / "orphan.sqlite"
    whole = open_pages(tmp_path / "whole.sqlite")
    made = [sql for (sql,) in whole.execute("SELECT sql FROM sqlite_master WHERE sql LIKE 'CREATE TABLE%'")]
    whole.close()
    begun = sqlite3.connect(orphan)
    for sql in made[:tables]:
        begun.execute(sql)
    begun.close()
    assert adopt(pages, orphan) == 0
