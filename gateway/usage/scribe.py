"""The thread that writes a journal: many notes, one commit."""

import asyncio
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable
from itertools import islice
from typing import Final, TypeVar

from gateway.domain import Attempt, UsageRecord
from gateway.protocols import Logger
from gateway.usage.pages import is_writable, settled_at, write
from gateway.usage.record import begun_record

T = TypeVar("T")

WINDOW: Final = 0.025
"""Seconds that notes gather before they are committed; with the commit itself well below the promised 50 ms."""
AGAIN: Final = 1.0
"""Seconds until a commit that failed is tried again."""
LOT: Final = 1_000
"""Settled records in one commit, at most: a file that could be written again after long gets them bit by bit."""
KEPT: Final = 100_000
"""Settled records kept in memory while the file cannot be written; beyond it the oldest are lost, and counted."""


class Scribe:
    """Takes notes from the event loop without waiting, and commits them from a thread of its own.

    `patient`: notes gather for a moment; else each commit follows at once, and takes what came in meanwhile.
    """

    def __init__(
        self, pages: sqlite3.Connection, log: Logger, *, patient: bool, on_settled: Callable[[], None]
    ) -> None:
        self._pages = pages
        self._log = log
        self._patient = patient
        self._on_settled = on_settled
        self._notes: deque[Attempt | UsageRecord] = deque()
        self._begun: dict[str, Attempt] = {}
        self._settled: deque[UsageRecord] = deque()
        self._errands: deque[Callable[[], None]] = deque()
        self._wake = threading.Event()
        self._noted_at = 0.0
        """When the first of the notes that gather now came."""
        self._closing = False
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name="usage-journal", daemon=True)
        self.dropped = 0
        """Records lost because the file could not be written for long."""
        self.failing = False
        """The last commit failed."""
        self._thread.start()

    @property
    def unwritten(self) -> int:
        """What was noted and is not in the file yet."""
        return len(self._notes) + len(self._settled)

    @property
    def since(self) -> float | None:
        """When the oldest settled record that is not in the file ended, in seconds since the epoch; None = all are."""
        try:
            return settled_at(self._settled[0])
        except IndexError:  # the thread has just written it
            return None

    def note(self, note: Attempt | UsageRecord) -> None:
        """An attempt that begins, or a record that is settled; never waits, never raises."""
        self._notes.append(note)
        if not self._wake.is_set():
            self._noted_at = time.monotonic()
            self._wake.set()

    async def ask(self, errand: Callable[[sqlite3.Connection], T]) -> T:
        """What `errand` makes of the pages, after everything noted so far was committed, or could not be."""
        answer: asyncio.Future[T] = self._loop.create_future()

        def run() -> None:
            try:
                told = errand(self._pages)
            except Exception as error:  # noqa: BLE001 - handed to whoever asked
                self._tell(answer, None, error)
            else:
                self._tell(answer, told, None)

        self._errands.append(run)
        self._wake.set()
        return await answer

    async def aclose(self) -> None:
        """Commit what was noted, and end the thread."""
        self._closing = True
        self._wake.set()
        await asyncio.to_thread(self._thread.join)
        self._pages.close()

    def _tell(self, answer: "asyncio.Future[T]", told: T | None, error: Exception | None) -> None:
        def tell() -> None:
            if answer.done():
                return
            if error is not None:
                answer.set_exception(error)
            else:
                answer.set_result(told)  # type: ignore[arg-type]

        try:
            self._loop.call_soon_threadsafe(tell)
        except RuntimeError:
            pass  # the loop is closed: nobody waits any more

    def _run(self) -> None:
        while True:
            self._wake.wait()
            if self._patient and not self._errands and not self._closing:
                # What came while the last commit was slow has waited already.
                left = self._noted_at + WINDOW - time.monotonic()
                if left > 0:
                    time.sleep(left)
            self._wake.clear()
            errands = [self._errands.popleft() for _ in range(len(self._errands))]
            written = self._commit()
            for errand in errands:
                errand()
            if self._closing and not self._errands and (not self._notes or not written):
                if not written:
                    self._log.error("usage_lost", records=len(self._settled))
                return
            if not written and not self._closing:
                self._wake.wait(AGAIN)
                self._wake.set()

    def _commit(self) -> bool:
        self._gather()
        if not self._begun and not self._settled:
            return True
        try:
            while self._begun or self._settled:
                self._write_some()
        except sqlite3.Error as error:
            if not self.failing:
                self._log.error("usage_journal_failing", error=str(error))
            self.failing = True
            return False
        except (ValueError, OverflowError) as error:
            self._sort_out(error)
            return self._commit()
        if self.failing:
            self._log.info("usage_journal_working")
        self.failing = False
        return True

    def _write_some(self) -> None:
        settled = list(islice(self._settled, LOT))
        write(self._pages, map(begun_record, self._begun.values()), settled)
        self._begun.clear()
        for _ in settled:
            self._settled.popleft()
        if settled:
            try:
                self._loop.call_soon_threadsafe(self._on_settled)
            except RuntimeError:
                pass

    def _sort_out(self, error: Exception) -> None:
        """Give up the records that no file can hold, so that the others need not wait for them."""
        for id in [id for id, one in self._begun.items() if not is_writable(begun_record(one))]:
            del self._begun[id]
        writable = [record for record in self._settled if is_writable(record)]
        unwritable = len(self._settled) - len(writable)
        self.dropped += unwritable
        self._settled = deque(writable)
        self._log.error("usage_unwritable", records=unwritable, error=type(error).__name__)

    def _gather(self) -> None:
        """An attempt that began and ended since the last commit is written once."""
        for _ in range(len(self._notes)):
            note = self._notes.popleft()
            if isinstance(note, Attempt):
                self._begun[note.id] = note
            else:
                self._begun.pop(note.attempt_id, None)
                self._settled.append(note)
        while len(self._settled) > KEPT:
            self._settled.popleft()
            self.dropped += 1
