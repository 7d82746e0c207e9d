"""Who takes part: started servers of which only the one whose turn it is runs. The others are stopped (SIGSTOP).

Waiting until the others are quiet is not enough: a dozen idle gateways take a tenth of a core together, and a server
that spins after a scenario may do so for minutes. A stopped one takes nothing, and none that was tried minds: sockets
stay open, memory stays as it is, and what fell due meanwhile is done within 50 ms once it goes on. It gets that time,
and time to clean up behind its run. One that does not come to rest then would spoil its own next figures: it is ended
and started anew, and that is told.
"""

import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from types import TracebackType
from typing import Final, Self

from bench.machine import family, wait_until_quiet
from bench.target import Target, Unavailable

Start = Callable[[], AbstractContextManager[Sequence[Target]]]
"""Starts a server; what it serves, while the block lasts. Called again when that block is over."""

PATIENCE: Final = 5.0
"""Seconds in which a server has to come to rest behind its run."""
_AFTER_START: Final = 6
"""Times as many for one that has just started: some go on importing when they listen already."""
_BEFORE: Final = 0.05
"""Seconds of rest before a run; the longer rest was behind the last one."""


class _Entrant:
    """A server that can be started anew."""

    def __init__(self, start: Start) -> None:
        self._start = start
        self._stack = ExitStack()
        self.targets = self._stack.enter_context(start())
        self.last = "its start"
        """What it was measured in last."""

    @property
    def pids(self) -> tuple[int, ...]:
        """All its processes."""
        return tuple(dict.fromkeys(pid for target in self.targets[:1] for pid in family(target.pids[0])))

    def send(self, number: signal.Signals) -> None:
        """Stop it or let it go on; what serves the others, too, is left alone."""
        for pid in () if any(target.shared for target in self.targets) else self.pids:
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def start_anew(self) -> None:
        """End it and start it again; raises `Unavailable` when that fails."""
        self.end()
        self.targets = self._stack.enter_context(self._start())

    def end(self) -> None:
        """It takes no more turns."""
        self.targets = ()
        self._stack.close()


class Field:
    """A context manager: the servers of one group, which take turns."""

    def __init__(self, upstreams: Sequence[int], quiet: float, patience: float = PATIENCE) -> None:
        """`upstreams`: the processes behind all of them; `quiet`: seconds of rest behind a run."""
        self._upstreams = tuple(upstreams)
        self._quiet = quiet
        self._patience = patience
        self._stack = ExitStack()
        self._seats: dict[str, tuple[_Entrant, int]] = {}
        self._entered: list[Target] = []
        self.anew: Counter[tuple[str, str]] = Counter()
        """(what, who): how often it stayed busy after that scenario and was started anew."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def targets(self) -> Sequence[Target]:
        """What is served, as it was when its server entered: that may be another process by now."""
        return tuple(self._entered)

    def enter(self, start: Start) -> Sequence[Target]:
        """Start a server, and stop it until its turn; what it serves."""
        entrant = _Entrant(start)
        self._stack.callback(entrant.end)
        self._settle_down(entrant)
        self._seats |= {target.name: (entrant, at) for at, target in enumerate(entrant.targets)}
        self._entered += entrant.targets
        entrant.send(signal.SIGSTOP)
        return entrant.targets

    @contextmanager
    def turn(self, name: str, what: str) -> Iterator[Target]:
        """It runs while the block lasts; raises `Unavailable` when it is gone or cannot be brought to rest."""
        entrant, at = self._seats[name]
        entrant.send(signal.SIGCONT)
        self._settle(entrant, name, _BEFORE)
        if not entrant.targets:
            raise Unavailable("it did not start again")
        try:
            yield entrant.targets[at]
        finally:
            entrant.last = what
            self._settle(entrant, name, self._quiet)
            entrant.send(signal.SIGSTOP)

    def _settle(self, entrant: _Entrant, name: str, quiet: float) -> None:
        if self._rests(entrant, quiet, self._patience) or not entrant.targets:
            return
        if any(target.shared for target in entrant.targets):
            raise Unavailable("it does not come to rest")
        self.anew[entrant.last, name] += 1
        entrant.start_anew()
        self._settle_down(entrant)

    def _settle_down(self, entrant: _Entrant) -> None:
        if not self._rests(entrant, self._quiet, _AFTER_START * self._patience):
            entrant.end()
            raise Unavailable("it does not come to rest when it has started")

    def _rests(self, entrant: _Entrant, quiet: float, limit: float) -> bool:
        return wait_until_quiet((*entrant.pids, *self._upstreams), quiet, limit)
