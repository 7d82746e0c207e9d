"""The journal: every attempt reaches every sink once, whatever fails meanwhile."""

import asyncio
import os
import queue
import resource
import signal
import sqlite3
import sys
import threading
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest
from accounts import HANG, Log, Sink, attempt, ended

from gateway.domain import Outcome
from gateway.usage import UsageJournal, delivery, scribe
from gateway.usage.daybook import Daybook
from gateway.usage.pages import open_pages
from gateway.usage.record import begun_record

HERE = Path(__file__).parent


def files(tmp_path: Path) -> list[Path]:
    return sorted((tmp_path / "usage").glob("*"))


async def test_every_sink_gets_every_record_in_order(journals):
    sinks = Sink(), Sink()
    journal = await journals(*sinks)
    sent = []
    for number in range(1200):
        one = attempt(number)
        journal.began(one)
        journal.settled(ended(one))
        sent.append(one.id)
    for sink in sinks:
        await sink.has(1200)
        assert sink.ids == sent


async def test_a_sink_that_fails_gets_its_records_later_and_holds_no_other_one_up(journals, log, monkeypatch):
    monkeypatch.setattr(delivery, "FIRST_PAUSE", 0.05)
    broken, good = Sink(broken=ConnectionError("away")), Sink()
    journal = await journals(broken, good)
    for number in range(3):
        journal.settled(ended(attempt(number)))
    await good.has(3)
    assert broken.records == []
    assert journal.dropped == 0
    broken.broken = None
    await broken.has(3)
    assert broken.ids == good.ids == ["e0-1", "e1-1", "e2-1"]
    assert ("usage_sink_failed", "sink0") in [(event, fields.get("plugin")) for event, fields in log.events]


async def test_what_no_sink_took_waits_in_the_file_for_the_next_start(journals, tmp_path):
    journal = await journals(Sink(broken=ConnectionError("away")))
    journal.settled(ended(attempt(1)))
    await journal.aclose()
    assert files(tmp_path)
    sink = Sink()
    await journals(sink)
    await sink.has(1)
    assert sink.records[0].outcome is Outcome.OK


async def test_a_journal_that_gave_everything_away_leaves_nothing(journals, tmp_path):
    journal = await journals(Sink())
    journal.settled(ended(attempt(1)))
    await journal.aclose()
    assert files(tmp_path) == []


async def test_the_journal_of_a_worker_that_lives_is_left_alone(journals):
    first, second = Sink(), Sink()
    one = await journals(first)
    begun = attempt(1)
    one.began(begun)
    await one.committed()
    await journals(second)
    one.settled(ended(begun))
    await first.has(1)
    assert second.records == []
    assert first.records[0].outcome is Outcome.OK


@pytest.mark.parametrize("when", ["committed", "noted"])
async def test_nothing_is_lost_by_kill_9_and_what_had_begun_is_told_so(journals, tmp_path, when):
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(HERE / "writes_until_killed.py"), str(tmp_path / "usage"), when),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    told = await asyncio.wait_for(process.stdout.readline(), HANG)
    process.send_signal(signal.SIGKILL)
    await process.communicate()
    settled, begun = map(int, told.split())
    sink = Sink()
    await journals(sink)
    await sink.has(settled + begun)
    assert sorted(sink.ids) == sorted(f"e{number}-1" for number in range(settled + begun))
    assert [record.outcome for record in sink.records].count(Outcome.LOST) == begun
    assert len({file.name.partition(".")[0] for file in files(tmp_path)}) == 1  # the new one's own


async def test_an_orphan_that_cannot_be_read_is_told_of_and_kept(journals, tmp_path, log):
    folder = tmp_path / "usage"
    folder.mkdir()
    (folder / "dead.lock").touch()
    (folder / "dead.sqlite").write_bytes(b"no database" * 1000)
    sink = Sink()
    journal = await journals(sink)
    journal.settled(ended(attempt(1)))
    await sink.has(1)
    assert "usage_journal_unreadable" in log.names()
    assert (folder / "dead.sqlite").exists()


async def test_durable_means_on_the_disk_before_it_returns(journals, tmp_path):
    journal = await journals(Sink(), durability="durable")
    begun = attempt(1)
    journal.began(begun)
    await journal.committed()
    (path,) = (tmp_path / "usage").glob("*.sqlite")
    pages = sqlite3.connect(path)
    try:
        assert pages.execute("SELECT attempt_id FROM begun").fetchall() == [("e1-1",)]
        assert pages.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    finally:
        pages.close()


async def test_the_file_forgets_that_an_attempt_began_when_it_has_ended(journals, tmp_path):
    """Whether both are in one commit, or in two."""
    journal = await journals(Sink())
    one, two, three = map(attempt, range(3))
    journal.began(one)
    journal.began(two)
    await journal.committed()
    journal.began(three)
    journal.settled(ended(three))
    journal.settled(ended(two))
    await journal.committed()
    (path,) = (tmp_path / "usage").glob("*.sqlite")
    with closing(sqlite3.connect(path)) as pages:
        assert pages.execute("SELECT attempt_id FROM begun").fetchall() == [(one.id,)]


async def test_a_full_disk_keeps_records_in_memory_until_there_is_room(journals, log, monkeypatch):
    monkeypatch.setattr(scribe, "AGAIN", 0.05)
    sink = Sink()
    journal = await journals(sink)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, before[1]))  # every write of this process fails, as on a full disk
    try:
        for number in range(50):
            journal.settled(ended(attempt(number)))
        await asyncio.wait_for(journal.committed(), HANG)
        assert journal.failing
        assert journal.lag > 0
        assert sink.records == []
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    await sink.has(50)
    assert not journal.failing
    assert journal.dropped == 0
    assert {"usage_journal_failing", "usage_journal_working"} <= log.names()


async def test_what_waited_through_a_slow_commit_does_not_wait_for_a_window_of_its_own(tmp_path, log, monkeypatch):
    now, slept, written, go_on = [100.0], [], queue.Queue(), threading.Event()
    write = scribe.write

    def slow(pages, begun, settled, over):
        written.put([*begun])
        go_on.wait(HANG)
        write(pages, begun, settled, over)

    monkeypatch.setattr(scribe, "time", SimpleNamespace(monotonic=lambda: now[0], sleep=slept.append))
    monkeypatch.setattr(scribe, "write", slow)
    pages, daybook = open_pages(tmp_path / "pages"), Daybook(tmp_path / "daybook")
    writer = scribe.Scribe(pages, daybook, log, patient=True, on_settled=lambda: None)
    writer.note(begun_record(attempt(1)), over=False)
    assert await asyncio.to_thread(written.get, timeout=HANG) == ["e1-1"]
    writer.note(begun_record(attempt(2)), over=False)
    now[0] += 1
    go_on.set()
    assert await asyncio.to_thread(written.get, timeout=HANG) == ["e2-1"]
    assert slept == [pytest.approx(scribe.WINDOW)]
    await writer.aclose()
    daybook.close()


async def test_memory_stays_bounded_while_the_disk_fails(journals, monkeypatch):
    monkeypatch.setattr(scribe, "KEPT", 10)
    monkeypatch.setattr(scribe, "AGAIN", 0.05)
    sink = Sink()
    journal = await journals(sink)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, before[1]))
    try:
        for number in range(25):
            journal.settled(ended(attempt(number)))
        await asyncio.wait_for(journal.committed(), HANG)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    await sink.has(10)
    assert journal.dropped == 15
    assert sink.ids == [f"e{number}-1" for number in range(15, 25)]


async def test_the_file_stays_bounded_while_a_sink_fails(journals, monkeypatch, log):
    monkeypatch.setattr(delivery, "KEPT", 5)
    monkeypatch.setattr(delivery, "FIRST_PAUSE", 0.05)
    broken = Sink(broken=ConnectionError("away"))
    journal = await journals(broken)
    for number in range(12):
        journal.settled(ended(attempt(number)))
    async with asyncio.timeout(HANG):
        while journal.dropped < 7:
            await asyncio.sleep(0.01)
    broken.broken = None
    await broken.has(5)
    assert broken.ids == [f"e{number}-1" for number in range(7, 12)]
    assert "usage_given_up" in log.names()


async def test_delivery_goes_on_after_the_disk_was_full(journals, log, monkeypatch):
    monkeypatch.setattr(delivery, "AGAIN", 0.05)
    monkeypatch.setattr(delivery, "FIRST_PAUSE", 0.05)
    monkeypatch.setattr(scribe, "AGAIN", 0.05)
    sink = Sink(broken=ConnectionError("away"))
    journal = await journals(sink)
    journal.settled(ended(attempt(1)))
    await journal.committed()
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, before[1]))
    try:
        sink.broken = None
        await sink.has(1)  # it has the record, and that cannot be noted
        async with asyncio.timeout(HANG):
            while "usage_journal_failing" not in log.names():
                await asyncio.sleep(0.01)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    journal.settled(ended(attempt(2)))
    async with asyncio.timeout(HANG):
        while set(sink.ids) != {"e1-1", "e2-1"}:
            await asyncio.sleep(0.01)


async def test_a_failing_sink_that_is_taken_away_is_not_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(delivery, "FIRST_PAUSE", 0.01)
    sinks = Counting([("away", Sink(broken=ConnectionError("away")))])
    journal = UsageJournal(tmp_path / "usage", sinks, Log())
    await journal.open()
    journal.settled(ended(attempt(1)))
    async with asyncio.timeout(HANG):
        while not sinks[0][1].asked:
            await asyncio.sleep(0.01)
    sinks.clear()
    await asyncio.sleep(0.1)
    rounds = sinks.rounds
    for _ in range(1000):
        await asyncio.sleep(0)
    assert sinks.rounds == rounds
    await journal.aclose()


class Counting(list):
    """Sinks that know how often somebody went through them."""

    rounds = 0

    def __iter__(self):
        self.rounds += 1
        return super().__iter__()


async def test_a_record_that_cannot_be_written_is_counted_and_takes_no_other_one_along(journals, log):
    sink = Sink()
    journal = await journals(sink)
    for number, code in enumerate((None, "half of a pair: \ud800", None)):
        journal.settled(msgspec.structs.replace(ended(attempt(number)), error_code=code))
    await sink.has(2)
    assert sink.ids == ["e0-1", "e2-1"]
    assert journal.dropped == 1
    assert "usage_unwritable" in log.names()
    await asyncio.wait_for(journal.committed(), HANG)


async def test_what_had_begun_and_was_never_settled_is_lost_after_an_orderly_end_too(journals):
    journal = await journals(Sink())
    journal.began(attempt(1))
    await journal.aclose()
    sink = Sink()
    await journals(sink)
    await sink.has(1)
    assert sink.records[0].outcome is Outcome.LOST


async def test_nothing_is_kept_where_nobody_wants_it(journals, tmp_path):
    journal = await journals()
    journal.began(attempt(1))
    journal.settled(ended(attempt(1)))
    assert journal.waiting == 0
    await journal.aclose()
    assert files(tmp_path) == []


async def test_the_folder_is_for_its_owner_only(journals, tmp_path):
    await journals(Sink())
    assert os.stat(tmp_path / "usage").st_mode & 0o777 == 0o700
