"""What the machine itself takes from whoever runs on it: no server can be more punctual than that."""

from collections.abc import Sequence
from typing import Final

from bench.machine import Cores
from bench.report import Table, shown
from bench.rounds import Spread
from bench.tools import Pauses, pauses

SECONDS: Final = 4.0
"""How long both cores are looked at, for each of the repeats."""


def pauses_table(cores: Cores, repeats: int) -> Table:
    """The pauses of a program that only looks at the clock, on both cores at once."""
    found = [pauses(SECONDS, (cores.gateway, cores.others)) for _ in range(repeats)]
    rows = [_row(name, [both[at] for both in found]) for at, name in enumerate(("the server's core", "the other core"))]
    note = (
        f"{repeats} times {SECONDS:g} s. A program that does nothing but look at the clock keeps each core busy, both "
        "at once: what it misses was taken by other processes, by the kernel, or by whoever runs the machine. What is "
        "paced is late by such pauses, on either core, and by the queue behind them."
    )
    return Table(
        "What the machine itself takes", ["", "ms of a second", "pauses over 1 ms a second", "longest ms"], rows, note
    )


def _row(name: str, found: Sequence[Pauses]) -> list[str]:
    taken = Spread.of([one.taken_ms / one.seconds for one in found])
    often = Spread.of([one.over_1_ms / one.seconds for one in found])
    return [name, shown(taken), shown(often), shown(Spread.of([one.longest_ms for one in found]))]
