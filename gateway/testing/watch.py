"""Tells which line of a plugin holds up the event loop."""

import asyncio
import inspect
import sys
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from types import FrameType, TracebackType
from typing import Final, Self

_LOOKS: Final = 5
"""Looks in a row that find the same place and a loop that stood still between them."""
_EVERY: Final = 0.05


class LoopWatch:
    """A context manager, entered on the loop's thread: `blocked` is where code of these places held it up.

    A place is a source file or a package's folder. A quarter of a second without one turn of the loop counts, if
    each look at it found the plugin's code; a machine that is merely busy shows other code, or gets no look at all.
    `found` is called, on a thread of its own, each time that happens.
    """

    def __init__(self, places: Iterable[Path], found: Callable[[str], None] = lambda place: None) -> None:
        self._places = tuple(str(place) for place in places)
        self._thread = threading.get_ident()
        self._loop = asyncio.get_running_loop()
        self._beats = 0
        self._beat: asyncio.TimerHandle | None = None
        self._ended = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="loop watch", daemon=True)
        self._found = found
        self.blocked = ""
        """File, line, function and source of the first such line; empty while nothing was found."""

    def __enter__(self) -> Self:
        self._turn()
        self._watcher.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        if self._beat is not None:
            self._beat.cancel()
        self._watcher.join()

    def _turn(self) -> None:
        self._beats += 1
        self._beat = self._loop.call_later(_EVERY / 2, self._turn)

    def _watch(self) -> None:
        looks, beats = 0, -1
        while not self._ended.wait(_EVERY):
            place = self._place(sys._current_frames().get(self._thread))
            looks = looks + 1 if place and self._beats == beats else 0
            beats = self._beats
            if looks == _LOOKS:
                self.blocked = self.blocked or place
                self._found(place)

    def _place(self, frame: FrameType | None) -> str:
        """The innermost line of the plugin on that thread's stack."""
        while frame is not None:
            if frame.f_code.co_filename.startswith(self._places):
                return _described(frame)
            frame = frame.f_back
        return ""


def _described(frame: FrameType) -> str:
    lines: list[str] = []
    first = 1
    try:
        lines, first = inspect.getsourcelines(frame.f_code)
    except OSError:  # no source to show
        pass
    number = frame.f_lineno - first
    source = f": {lines[number].strip()}" if 0 <= number < len(lines) else ""
    return f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno} in {frame.f_code.co_name}{source}"
