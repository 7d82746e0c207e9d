"""What was taken of limits: counted in this process."""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Final, Literal, NamedTuple, Protocol, TypeAlias

Kind: TypeAlias = Literal["rpm", "tpm", "concurrent"]
MINUTE: Final = 60.0
_ROOM: Final = 1e-6
"""What arithmetic may have lost."""
_SWEEP: Final = 10_000
"""Rates that are remembered before those that are full again are forgotten."""


class Cell(NamedTuple):
    """One limit, and what one exchange needs of it."""

    name: str
    """Whose it is, the same wherever it is counted."""
    kind: Kind
    limit: float
    need: float


class Taken(NamedTuple):
    """What came of an attempt to take."""

    left: tuple[float, ...]
    """Of each cell, what is left now; below what is needed of the one that refused."""
    refused: int | None = None
    """The first cell with too little left; nothing was taken of any."""


class Counters(Protocol):
    """Counts what is taken of limits."""

    async def take(self, cells: Sequence[Cell], holder: str) -> Taken:
        """Take all that the exchange needs, or nothing."""
        ...

    async def settle(self, cells: Sequence[Cell], holder: str, tokens: float) -> None:
        """The exchange is over and has used so many tokens."""
        ...

    def left(self, cell: Cell) -> float:
        """What is left of a limit, as far as this process knows."""
        ...

    @property
    def ailing(self) -> str:
        """What it does without for now; empty while all is well."""
        ...

    def running(self) -> AbstractAsyncContextManager[None]:
        """What it needs, for as long as the context is open."""
        ...


class OwnCounters:
    """Rates are buckets that hold one minute's worth and fill up again evenly; a late answer may leave one in debt."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._rates: dict[str, tuple[float, float]] = {}
        """What was left of each, and when. One that is not there is full."""
        self._holders: dict[str, set[str]] = {}

    async def take(self, cells: Sequence[Cell], holder: str) -> Taken:
        """Take all that the exchange needs, or nothing."""
        left = tuple(self.left(cell) for cell in cells)
        for number, cell in enumerate(cells):
            if left[number] < cell.need - _ROOM:
                return Taken(left, number)
        taken = Taken(tuple(have - cell.need for have, cell in zip(left, cells, strict=True)))
        self.note(cells, holder, taken)
        return taken

    async def settle(self, cells: Sequence[Cell], holder: str, tokens: float) -> None:
        """Tokens that were reserved and not used go back; what was used beyond them counts as well."""
        for cell in cells:
            if cell.kind == "concurrent":
                holders = self._holders.get(cell.name, set())
                holders.discard(holder)
                if not holders:
                    self._holders.pop(cell.name, None)
            elif cell.kind == "tpm":
                self._rates[cell.name] = (self.left(cell) + cell.need - tokens, self._clock())

    def left(self, cell: Cell) -> float:
        """What is left now."""
        if cell.kind == "concurrent":
            return cell.limit - len(self._holders.get(cell.name, ()))
        held = self._rates.get(cell.name)
        if held is None:
            return cell.limit
        left, at = held
        return min(cell.limit, left + (self._clock() - at) * cell.limit / MINUTE)

    @property
    def ailing(self) -> str:
        """It needs nobody."""
        return ""

    def running(self) -> AbstractAsyncContextManager[None]:
        """It needs nothing."""
        return nullcontext()

    def note(self, cells: Sequence[Cell], holder: str, taken: Taken) -> None:
        """Remember what is left, whoever counted it; unless it was refused, the holder has its place."""
        now = self._clock()
        for cell, left in zip(cells, taken.left, strict=True):
            if cell.kind != "concurrent":
                self._rates[cell.name] = (left, now)
            elif taken.refused is None:
                self._holders.setdefault(cell.name, set()).add(holder)
        if len(self._rates) > _SWEEP:
            self._sweep(now)

    def _sweep(self, now: float) -> None:
        """Forget the rates that nobody asked for within the last minute, if they were not in debt."""
        self._rates = {name: (left, at) for name, (left, at) in self._rates.items() if left < 0 or now - at < MINUTE}
