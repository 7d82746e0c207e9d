"""The usage journal: what began is known before it is dialled, what ended reaches every sink exactly once."""

import asyncio
import sqlite3
import time
from functools import partial
from pathlib import Path
from typing import NamedTuple, Protocol

from gateway.domain import Attempt, UsageRecord
from gateway.protocols import Logger
from gateway.usage.daybook import Daybook, unposted
from gateway.usage.delivery import Delivery, Sinks
from gateway.usage.pages import Durability, adopt, count_all, open_pages
from gateway.usage.record import begun_record
from gateway.usage.scribe import Scribe
from gateway.usage.shelf import Shelf, daybook_of


class Journal(Protocol):
    """Where the pipeline accounts for attempts."""

    durable: bool
    """Whether `committed` has to be awaited before an upstream is dialled."""

    def began(self, attempt: Attempt) -> None:
        """An attempt is about to dial; never waits, never raises."""
        ...

    async def committed(self) -> None:
        """Return when everything told so far survives the end of the process, and of its power."""
        ...

    def settled(self, record: UsageRecord) -> None:
        """How the attempt ended, once; never waits, never raises."""
        ...


class UsageJournal:
    """One worker's journal: a file of its own in `folder`, written by a thread, carried to the sinks by a task.

    What began and was never settled, because the process was killed, is settled as `lost` by the next worker that
    opens the folder. A record reaches a sink again only if the process ended between the sink's taking it and our
    noting so: sinks are idempotent by `attempt_id`.
    """

    def __init__(self, folder: Path, sinks: Sinks, log: Logger, durability: Durability = "window") -> None:
        self.durable = durability == "durable"
        self._folder = folder
        self._sinks = sinks
        self._log = log
        self._durability: Durability = durability
        self._open: _Open | None = None

    async def open(self) -> None:
        """Begin a journal, and take over what dead workers left. Raises `OSError` where none can be written."""
        shelf = await asyncio.to_thread(Shelf, self._folder)
        try:
            pages, daybook = await asyncio.to_thread(_made, shelf, self._durability)
        except (OSError, sqlite3.Error) as error:
            shelf.close()
            raise OSError(f"The usage journal in {self._folder} cannot be written: {error}.") from error
        scribe = Scribe(pages, daybook, self._log, patient=not self.durable, on_settled=self._wake)
        self._open = _Open(shelf, daybook, scribe, Delivery(scribe, self._sinks, self._log))
        await self._adopt(self._open)

    @property
    def dropped(self) -> int:
        """Records lost: the disk could not be written for long, or a sink failed for longer than was kept for it."""
        return 0 if self._open is None else self._open.scribe.dropped + self._open.delivery.given_up

    @property
    def failing(self) -> bool:
        """Whether the file cannot be written now; records wait in memory meanwhile."""
        return self._open is not None and self._open.scribe.failing

    @property
    def waiting(self) -> int:
        """Settled records that not every sink has taken, as far as was counted."""
        return 0 if self._open is None else self._open.scribe.unwritten + self._open.delivery.waiting

    @property
    def lag(self) -> float:
        """Seconds since the oldest record that not every sink has taken was settled; 0 when none waits."""
        told = () if self._open is None else (self._open.scribe.since, self._open.delivery.since)
        since = min((when for when in told if when is not None), default=None)
        return 0.0 if since is None else max(0.0, time.time() - since)

    def began(self, attempt: Attempt) -> None:
        """An attempt is about to dial."""
        if self._open is not None and self._sinks:
            self._open.scribe.note(begun_record(attempt), over=False)

    async def committed(self) -> None:
        """Return when everything told so far is on the disk, or the disk is known to fail."""
        if self._open is not None:
            await self._open.scribe.ask(_nothing)

    def settled(self, record: UsageRecord) -> None:
        """How the attempt ended."""
        if self._open is not None and self._sinks:
            self._open.scribe.note(record, over=True)

    async def aclose(self) -> None:
        """Hand on what can be handed on; the rest stays for the next start."""
        if (held := self._open) is None:
            return
        await held.delivery.aclose()
        left = await held.scribe.ask(count_all)
        await held.scribe.aclose()
        if left:
            self._log.info("usage_left", records=left)
        elif not self.failing:
            await asyncio.to_thread(held.shelf.remove, held.shelf.pages)
        held.shelf.close()
        self._open = None
        held.daybook.close()

    async def _adopt(self, held: "_Open") -> None:
        with held.shelf.orphans() as orphans:
            for orphan in orphans:
                try:
                    notes = await asyncio.to_thread(unposted, daybook_of(orphan))
                    errand = partial(adopt, orphan=orphan, notes=notes)
                    adopted = await held.scribe.ask(errand) if orphan.exists() else 0
                except (OSError, sqlite3.Error) as error:
                    self._log.error("usage_journal_unreadable", path=orphan.name, error=str(error))
                    continue
                await asyncio.to_thread(held.shelf.remove, orphan)
                if adopted:
                    self._log.info("usage_adopted", records=adopted)
        held.delivery.wake()

    def _wake(self) -> None:
        if self._open is not None:
            self._open.delivery.wake()


class _Open(NamedTuple):
    """What a journal consists of while it is open."""

    shelf: Shelf
    daybook: Daybook
    scribe: Scribe
    delivery: Delivery


def _made(shelf: Shelf, durability: Durability) -> tuple[sqlite3.Connection, Daybook]:
    pages = open_pages(shelf.pages, durability)
    try:
        return pages, Daybook(shelf.daybook)
    except OSError:
        pages.close()
        raise


def _nothing(pages: sqlite3.Connection) -> None:
    """The errand of who only waits for the commit."""
