"""What a journal's file holds: attempts that began, records that were settled, and how far each sink has them."""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, Literal, NamedTuple, TypeAlias

import msgspec

from gateway.domain import UsageRecord

Durability: TypeAlias = Literal["window", "durable"]

_TABLES: Final = """
CREATE TABLE IF NOT EXISTS begun (attempt_id TEXT PRIMARY KEY, record TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS settled (
    number INTEGER PRIMARY KEY AUTOINCREMENT, attempt_id TEXT NOT NULL UNIQUE, record TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS reached (sink TEXT PRIMARY KEY, number INTEGER NOT NULL) WITHOUT ROWID;
CREATE VIEW IF NOT EXISTS noted AS SELECT NULL AS begun, NULL AS settled, NULL AS over;
CREATE TRIGGER IF NOT EXISTS notes INSTEAD OF INSERT ON noted BEGIN
    INSERT OR IGNORE INTO begun SELECT key, value FROM json_each(new.begun);
    INSERT OR IGNORE INTO settled (attempt_id, record) SELECT key, value FROM json_each(new.settled);
    DELETE FROM begun WHERE attempt_id IN (SELECT value FROM json_each(new.over));
END;
"""
_NOTE: Final = "INSERT INTO noted VALUES (?, ?, ?)"
_AFTER: Final = """
SELECT '[' || coalesce(group_concat('[' || number || ',' || record || ']'), '') || ']' FROM (
    SELECT number, record FROM settled
    WHERE number > coalesce((SELECT number FROM reached WHERE sink = ?), 0) ORDER BY number LIMIT ?
)
"""
_FORGET: Final = """
DELETE FROM settled WHERE number <= (
    SELECT min(coalesce(reached.number, 0)) FROM json_each(?) AS named LEFT JOIN reached ON reached.sink = named.value
)
"""
_SYNCHRONOUS: Final[Mapping[Durability, str]] = {"window": "NORMAL", "durable": "FULL"}
Numbered: TypeAlias = tuple[int, UsageRecord]

_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(UsageRecord).decode
_decode_note: Final = msgspec.json.Decoder(tuple[UsageRecord, bool]).decode
_decode_all: Final = msgspec.json.Decoder(list[Numbered]).decode
_BEGUN: Final = slice(len("["), -len(",false]"))
_SETTLED: Final = slice(len("["), -len(",true]"))
"""The record in a note."""


class Waiting(NamedTuple):
    """What some sink has not taken."""

    given_up: int
    """How many nobody will offer again."""
    records: int
    """How many are still offered."""
    since: float | None
    """When the oldest of them was settled, in seconds since the epoch; None where there is none."""


def open_pages(path: Path, durability: Durability = "window") -> sqlite3.Connection:
    """The file, made if there is none. `durable` survives the loss of power, `window` that of the process."""
    pages = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=1.0)
    try:
        pages.execute("PRAGMA journal_mode=WAL")
        pages.execute(f"PRAGMA synchronous={_SYNCHRONOUS[durability]}")
        pages.executescript(_TABLES)
    except sqlite3.Error:
        pages.close()
        raise
    return pages


def note(record: UsageRecord, *, over: bool) -> bytes:
    """What is written of a record: of one that is not `over`, the record it is if nothing more is heard of it.

    Raises `ValueError` or `OverflowError` where no file can hold it: names and codes come from plugins, and need not
    be Unicode.
    """
    return _encode((record, over))


def write(
    pages: sqlite3.Connection, begun: Mapping[str, bytes], settled: Mapping[str, bytes], over: Sequence[str]
) -> None:
    """All of it or nothing: notes by their attempt, and which of those that ended had begun in the file.

    One statement: after each one a thread waits for the interpreter anew, and on a busy machine each such wait costs
    more than what is written. A record goes as text that SQLite need not understand.
    """
    begins = {attempt_id: data[_BEGUN].decode() for attempt_id, data in begun.items()}
    ends = {attempt_id: data[_SETTLED].decode() for attempt_id, data in settled.items()}
    pages.execute(_NOTE, (_encode(begins).decode(), _encode(ends).decode(), _encode(over).decode()))


def after(pages: sqlite3.Connection, sink: str, limit: int) -> list[Numbered]:
    """The next records that a sink has not been given, oldest first."""
    told: str = pages.execute(_AFTER, (sink, limit)).fetchone()[0]
    try:
        return _decode_all(told)
    except msgspec.MsgspecError as error:
        raise sqlite3.DataError(f"a record cannot be read: {error}") from error


def reach(pages: sqlite3.Connection, sink: str, number: int) -> None:
    """Remember how far a sink has the records."""
    pages.execute(
        "INSERT INTO reached VALUES (?, ?) ON CONFLICT (sink) DO UPDATE SET number = excluded.number", (sink, number)
    )


def forget(pages: sqlite3.Connection, sinks: Sequence[str], keep: int) -> Waiting:
    """Delete what every one of these sinks has, and of the rest all but the newest `keep`."""
    pages.execute(_FORGET, (_encode(sinks).decode(),))
    count = count_settled(pages)
    given_up = max(0, count - keep)
    if given_up:
        pages.execute(
            "DELETE FROM settled WHERE number IN (SELECT number FROM settled ORDER BY number LIMIT ?)", (given_up,)
        )
    first = pages.execute("SELECT record FROM settled ORDER BY number LIMIT 1").fetchone()
    return Waiting(given_up, count - given_up, None if first is None else settled_at(_decode(first[0])))


def settled_at(record: UsageRecord) -> float:
    """When its attempt ended, in seconds since the epoch."""
    return record.started_at + record.duration


def count_settled(pages: sqlite3.Connection) -> int:
    """Settled records that are still here."""
    count: int = pages.execute("SELECT count(*) FROM settled").fetchone()[0]
    return count


def count_all(pages: sqlite3.Connection) -> int:
    """Settled records, and attempts that began and were never settled."""
    begun: int = pages.execute("SELECT count(*) FROM begun").fetchone()[0]
    return begun + count_settled(pages)


def adopt(pages: sqlite3.Connection, orphan: Path, notes: Iterable[bytes] = ()) -> int:
    """Take over everything of a journal nobody writes any more, and notes that did not reach it.

    Attempts that only began are settled as they are.
    Without all its tables it holds nothing: its worker was killed while it made them.
    """
    pages.execute("ATTACH DATABASE ? AS orphan", (str(orphan),))
    try:
        pages.execute("BEGIN IMMEDIATE")
        try:
            before = count_settled(pages)
            tables = {name for (name,) in pages.execute("SELECT name FROM orphan.sqlite_master WHERE type = 'table'")}
            rows: list[tuple[str, str]] = []
            if {"settled", "begun"} <= tables:
                rows += pages.execute("SELECT attempt_id, record FROM orphan.settled ORDER BY number")
                # Ends first: where there is one, the attempt did not only begin.
                noted = sorted(map(_decode_note, notes), key=lambda noted: not noted[1])
                rows += ((record.attempt_id, _encode(record).decode()) for record, _ in noted)
                rows += pages.execute("SELECT attempt_id, record FROM orphan.begun")
            for _, record in rows:
                _decode(record)
            pages.executemany("INSERT OR IGNORE INTO settled (attempt_id, record) VALUES (?, ?)", rows)
            adopted = count_settled(pages) - before
            pages.execute("COMMIT")
        except msgspec.MsgspecError as error:
            pages.execute("ROLLBACK")
            raise sqlite3.DataError(f"a record cannot be read: {error}") from error
        except BaseException:
            if pages.in_transaction:
                pages.execute("ROLLBACK")
            raise
    finally:
        pages.execute("DETACH DATABASE orphan")
    return adopted
