"""The whole comparison: asks the gateway and the plain route every fault of a stream of chat completions.

`PYTHONPATH=tests python tests/faults/compare.py docs/reliability.md` prints what each told its client, and writes it
into that page.
"""

import asyncio
import sys
import tempfile
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from fault_comparison import COMPARED, Compared, harms, plainly
from fault_matrix import matrix_of
from fault_report import in_a_word, write


async def gateway(folder: Path) -> Compared:
    """What the gateway tells."""
    async with matrix_of(folder, "direct", COMPARED) as matrix:
        results = await matrix.run(COMPARED)
        leaks = matrix.leaked()
        found = {str(case): harms(case, results[str(case)]) for case in COMPARED}
        return Compared(results=results, harms=found, tracebacks=matrix.gateway.log.count("Traceback"), leaks=leaks)


def table(ours: Compared, plain: Compared) -> str:
    """Markdown: date and counts, then a fault in each line."""
    lines = [
        f"{datetime.now(UTC):%Y-%m-%d}: {len(COMPARED)} faults, each met by a stream of chat completions.",
        "",
        f"- the gateway: {_counted(ours)}",
        f"- the plain route: {_counted(plain)}",
        "",
        "| row | fault | the gateway | the plain route | what is wrong with the plain route |",
        "|---|---|---|---|---|",
    ]
    for case in sorted(COMPARED, key=lambda case: case.fault.row):
        words = [in_a_word(one.results[str(case)]) for one in (ours, plain)]
        lines.append(f"| {case.fault.row} | {case.name} | {' | '.join(words)} | {', '.join(plain.harms[str(case)])} |")
    return "\n".join(lines) + "\n"


def _counted(one: Compared) -> str:
    kinds = Counter(harm for found in one.harms.values() for harm in found)
    named = "".join(f"; {harm}: {count}" for harm, count in kinds.most_common())
    return f"{sum(map(bool, one.harms.values()))} wrong{named}; {one.tracebacks} tracebacks in the log"


def main() -> None:
    """Compare; what is wrong with the gateway ends it with an error."""
    with tempfile.TemporaryDirectory() as folder:
        (own := Path(folder, "gateway")).mkdir()
        (other := Path(folder, "plain")).mkdir()
        ours, plain = asyncio.run(gateway(own)), asyncio.run(plainly(other, COMPARED))
    print(text := table(ours, plain))
    write(text, Path(sys.argv[1]), block="comparison")
    wrong = [(str(case), ours.results[str(case)].problems, ours.harms[str(case)]) for case in COMPARED]
    if found := [*ours.leaks, *(one for one in wrong if one[1] or one[2])]:
        sys.exit(f"wrong with the gateway: {found}")


if __name__ == "__main__":
    main()
