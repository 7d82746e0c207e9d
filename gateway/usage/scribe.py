"""The thread that writes a journal: many notes, one commit."""

import asyncio
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable
from itertools import islice
from typing import Final, TypeAlias, TypeVar

from gateway.domain import UsageRecord
from gateway.protocols import Logger
from gateway.usage.daybook import Daybook, Place
from gateway.usage.pages import note, write

T = TypeVar("T")
_Note: TypeAlias = tuple[str, bytes, float | None, Place | None]
"""Whose it is, what is written, when that attempt ended (None: it begins), in seconds since the epoch, and where the
daybook has it. A plain tuple, because each request makes two."""

WINDOW: Final = 0.1
"""Seconds that notes gather before they are committed; until then the daybook has them."""
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
        self,
        pages: sqlite3.Connection,
        daybook: Daybook,
        log: Logger,
        *,
        patient: bool,
        on_settled: Callable[[], None],
    ) -> None:
        self._pages = pages
        self._daybook = daybook
        self._log = log
        self._patient = patient
        self._on_settled = on_settled
        self._notes: deque[_Note] = deque()
        self._begun: dict[str, bytes] = {}
        self._settled: deque[_Note] = deque()
        self._in_file: set[str] = set()
        """Attempts that the file knows to have begun, and not to have ended."""
        self._places: dict[int, Place] = {}
        """How far each half of the daybook was gathered."""
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
            return self._settled[0][2]
        except IndexError:  # the thread has just written it
            return None

    def note(self, record: UsageRecord, *, over: bool) -> None:
        """An attempt that begins, or how it ended; never waits, never raises."""
        try:
            data = note(record, over=over)
        except (ValueError, OverflowError) as error:
            if over:
                self.dropped += 1
                self._log.error("usage_unwritable", records=1, error=type(error).__name__)
            return
        ended = record.started_at + record.duration if over else None
        self._notes.append((record.attempt_id, data, ended, self._daybook.note(data)))
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
        for place in self._places.values():
            self._daybook.post(place)
        self._places.clear()
        if self.failing:
            self._log.info("usage_journal_working")
        self.failing = False
        return True

    def _write_some(self) -> None:
        settled = list(islice(self._settled, LOT))
        ends = {attempt_id: data for attempt_id, data, _, _ in settled}
        over = self._in_file.intersection(ends)
        write(self._pages, self._begun, ends, [*over])
        self._in_file -= over
        self._in_file.update(self._begun)
        self._begun.clear()
        for _ in settled:
            self._settled.popleft()
        if settled:
            try:
                self._loop.call_soon_threadsafe(self._on_settled)
            except RuntimeError:
                pass

    def _gather(self) -> None:
        """An attempt that began and ended since the last commit is written once."""
        for _ in range(len(self._notes)):
            attempt_id, data, ended, place = one = self._notes.popleft()
            if place is not None:
                self._places[place[0].start] = place
            if ended is None:
                self._begun[attempt_id] = data
            else:
                self._begun.pop(attempt_id, None)
                self._settled.append(one)
        while len(self._settled) > KEPT:
            self._settled.popleft()
            self.dropped += 1
