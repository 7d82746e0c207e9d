"""Progress bars on stderr, on a terminal only."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress

Tell = Callable[[int], None]


class Bars:
    """One bar for each step of the work; without a terminal nothing is shown."""

    def __init__(self, shown: "Progress | None") -> None:
        self._shown = shown

    def step(self, what: str, total: int | None = None) -> Tell:
        """A new bar; call what is returned with how many more are done. Without a total it only counts."""
        if self._shown is None:
            return lambda more: None
        shown, task = self._shown, self._shown.add_task(what, total=total)
        return lambda more: shown.advance(task, more)


@contextmanager
def bars() -> Iterator[Bars]:
    """Bars that are gone when the work is done."""
    if not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        yield Bars(None)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        yield Bars(progress)
