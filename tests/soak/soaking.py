"""A gateway under mixed load for as long as asked: streams, faults, clients that leave, reloads; what it holds.

`make soak` takes `SOAK_MINUTES` (ten) and writes the figures into docs/reliability.md.
"""

import asyncio
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from fault_asking import Asking
from fault_cases import CASES, Case
from fault_comparison import OPEN, harms
from fault_matrix import Matrix, matrix_of
from fault_report import write
from trend import Trend, trend

LOAD = {
    "end after the finish": 6,
    "one byte a read": 1,
    "503, then well": 1,
    "reset": 1,
    "error event later": 1,
    "end without a finish": 1,
    "200, HTML": 1,
    "client leaves before the head": 1,
    "client leaves in the middle": 1,
    "client half-closes in the middle": 1,
}
"""How many clients ask what, again and again. Of those who leave one each: two with one name would take each other's
connection, which is still wanted, for their own."""
HELD = ("rss", "blocks", "generations", "tasks", "descriptors", "connections")
UNITS = {"rss": "KiB"}
WARMING = 1 / 3
"""The part of a run that no line goes through: caches fill, pools open, the allocator takes its first arenas."""
PATIENT = {"GATEWAY_SERVER__MAX_LAG": "60"}
"""On a busy machine the loop is late; who is turned away then is `make overload`'s question."""


class Soak:
    """What was asked and what was held meanwhile."""

    def __init__(self, matrix: Matrix, seconds: float, every: float) -> None:
        self._matrix, self._seconds, self._every = matrix, seconds, every
        self.asked: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.reloads = 0
        self.samples: dict[str, list[tuple[float, float]]] = {what: [] for what in HELD}

    async def run(self, cases: list[Case]) -> None:
        """Load and look until the time is over."""
        end = time.monotonic() + self._seconds
        async with asyncio.TaskGroup() as tasks:
            for case in cases:
                tasks.create_task(self._ask(case, end))
            tasks.create_task(self._reload(end))
            tasks.create_task(self._look(end))
            tasks.create_task(self._collect(end))

    async def _ask(self, case: Case, end: float) -> None:
        asking = Asking(self._matrix.gateway.client, self._matrix.upstream, self._matrix.key)
        while time.monotonic() < end:
            result = await asking.ask(case)
            self.asked[case.name] += 1
            # How long a closing took is a matter of the machine here; one that never comes is among the problems.
            found = [harm for harm in harms(case, result) if harm != OPEN]
            found += (problem for problem in result.problems if problem.startswith("I3"))
            if found:
                self.wrong.append(f"{case}: {found}, {result.told}")

    async def _reload(self, end: float) -> None:
        while time.monotonic() + self._every < end:
            await asyncio.sleep(self._every)
            self._matrix.gateway.send(signal.SIGHUP)
            self.reloads += 1

    async def _look(self, end: float) -> None:
        start = time.monotonic()
        while (now := time.monotonic()) < end:
            held = {**await self._matrix.probe(), "connections": len(self._matrix.upstream.open_connections)}
            held["rss"] //= 1024
            self._note(now - start, held)
            await asyncio.sleep(self._every / 5)

    async def _collect(self, end: float) -> None:
        """Less often than the other looks: a full collection stops everything for a moment."""
        start = time.monotonic()
        while (now := time.monotonic()) < end:
            self._note(now - start, (await self._matrix.gateway.client.request("GET", "/probe/heap")).json())
            await asyncio.sleep(self._every)

    def _note(self, at: float, held: Mapping[str, int]) -> None:
        for what, number in held.items():
            self.samples[what].append((at, number))

    def trends(self) -> dict[str, Trend]:
        """The line through what was held after the warming up."""
        return {
            what: trend([sample for sample in samples if sample[0] >= WARMING * self._seconds])
            for what, samples in self.samples.items()
        }

    def table(self) -> str:
        """Markdown: what was asked, then how fast what is held grows."""
        lines = [
            f"{datetime.now(UTC):%Y-%m-%d}, {self._seconds / 60:g} minutes: {sum(self.asked.values()):,} requests, "
            f"{self.reloads} reloads, {len(self.wrong)} answers wrong.",
            "",
            "| held | mean | an hour more | from | to | |",
            "|---|---|---|---|---|---|",
        ]
        for what, line in self.trends().items():
            unit = f" {UNITS[what]}" if what in UNITS else ""
            numbers = " | ".join(f"{number:,.0f}{unit}" for number in (line.mean, line.slope, line.low, line.high))
            lines.append(f"| {what} | {numbers} | {'flat' if line.flat else '**grows**'} |")
        return "\n".join(lines) + "\n"


async def soaked(folder: Path, seconds: float, every: float = 5.0) -> Soak:
    """A gateway that was under load for so long."""
    chat = {case.name: case for case in CASES if case.shape.name == "chat" and not case.keep_alive}
    async with matrix_of(folder, "direct", [chat[name] for name in LOAD], PATIENT) as matrix:
        soak = Soak(matrix, seconds, every)
        await soak.run([chat[name] for name, clients in LOAD.items() for _ in range(clients)])
        return soak


def main() -> None:
    """Soak, print, write, and fail where something grows or was wrong."""
    with tempfile.TemporaryDirectory() as folder:
        soak = asyncio.run(soaked(Path(folder), 60 * float(os.environ.get("SOAK_MINUTES", "10"))))
    print(text := soak.table())
    write(text, Path(sys.argv[1]), block="soak")
    if soak.wrong or any(not line.flat for line in soak.trends().values()):
        sys.exit(f"not as it should be: {soak.wrong[:5]}")


if __name__ == "__main__":
    main()
