"""Tells which line of a plugin holds up the event loop, and with it everybody."""

import asyncio
import inspect
import os
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from types import FrameType, TracebackType
from typing import Final, NamedTuple, Self

_LOOKS: Final = 5
"""Looks in a row that find a plugin's code and a loop that stood still between them."""


class Blocked(NamedTuple):
    """Whose code it is, and the line: file, number, function and source."""

    plugin: str
    where: str


class LoopWatch:
    """A context manager, entered on the loop's thread: `found` is called, on another one, when a plugin holds it up.

    `places` tells where plugins' code is now: source files and packages' folders, and whose they are. `seconds` without
    one turn of the loop count, if each look at it found a plugin's code; a machine that is merely busy shows other
    code, or gets no look at all. While all is well it costs a timer and a look, five times in `seconds` each.
    """

    def __init__(
        self,
        places: Callable[[], Mapping[Path, str]],
        found: Callable[[Blocked], None] = lambda blocked: None,
        *,
        seconds: float = 0.25,
    ) -> None:
        self._places = places
        self._every = seconds / _LOOKS
        self._thread = threading.get_ident()
        self._loop = asyncio.get_running_loop()
        self._beats = 0
        self._beat: asyncio.TimerHandle | None = None
        self._ended = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="loop watch", daemon=True)
        self._found = found
        self.blocked: Blocked | None = None
        """The first that was found."""

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
        self._beat = self._loop.call_later(self._every / 2, self._turn)

    def _watch(self) -> None:
        looks, beats = 0, -1
        while not self._ended.wait(self._every):
            stands, beats = self._beats == beats, self._beats
            # What the thread does is asked only where the loop did not turn: a loop that turns costs a comparison.
            blocked = self._culprit(sys._current_frames().get(self._thread)) if stands else None
            looks = looks + 1 if blocked is not None else 0
            if blocked is not None and looks == _LOOKS - 1:
                self.blocked = self.blocked or blocked
                self._found(blocked)

    def _culprit(self, frame: FrameType | None) -> Blocked | None:
        """The innermost line of a plugin on that thread's stack."""
        places = {str(path): plugin for path, plugin in self._places().items()}
        while frame is not None:
            file = frame.f_code.co_filename
            for place, plugin in places.items():
                if file == place or file.startswith(place + os.sep):
                    return Blocked(plugin, _described(frame))
            frame = frame.f_back
        return None


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
