"""The matrix as a table, from what was seen: a fault in each line, a surface in each column."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

from fault_cases import Case
from fault_matrix import Result
from fault_table import FAULTS

from gateway.testing.told import Ending

BEGIN, END = "<!-- the matrix begins -->\n", "<!-- the matrix ends -->\n"
SURFACES = {
    "custom": "custom",
    "chat": "chat",
    "completions": "completions",
    "messages": "messages",
    "responses": "responses",
    "plain": "embeddings",
}
_SHORT = {Ending.PROPER: "✓", Ending.ERROR: "error", Ending.CUT: "cut", Ending.PRETENDED: "PRETENDED"}


def table(results: Mapping[str, Result], cases: Sequence[Case]) -> str:
    """Markdown: date and counts, then what clients of each surface were told: of streams / of whole answers."""
    wrong = sum(bool(results[str(case)].problems) for case in cases)
    lines = [
        f"{datetime.now(UTC):%Y-%m-%d}: {len(cases)} cases of {len(FAULTS)} faults, {wrong} not as specified.",
        "",
        f"| row | fault | {' | '.join(SURFACES.values())} | attempts |",
        f"|---|---|{'---|' * len(SURFACES)}---|",
    ]
    for name, fault in sorted(FAULTS.items(), key=lambda item: item[1].row):
        mine = [case for case in cases if case.name == name]
        cells = [_cell(results, [case for case in mine if case.shape.surface == surface]) for surface in SURFACES]
        attempts = sorted({_counted(case.expected.outcomes) for case in mine})
        lines.append(f"| {fault.row} | {name} | {' | '.join(cells)} | {'<br>'.join(attempts)} |")
    return "\n".join(lines) + "\n"


def write(text: str, page: Path) -> None:
    """Put the table between the page's markers."""
    before, _, rest = page.read_text("utf-8").partition(BEGIN)
    page.write_text(f"{before}{BEGIN}\n{text}\n{END}{rest.partition(END)[2]}", "utf-8")


def _counted(outcomes: Sequence[str]) -> str:
    """The outcomes of an exchange's attempts, the same ones together."""
    runs = [(outcome, len(list(same))) for outcome, same in groupby(outcomes)]
    return ", ".join(outcome if count == 1 else f"{count} x {outcome}" for outcome, count in runs)


def _cell(results: Mapping[str, Result], cases: Sequence[Case]) -> str:
    """What streams were told / what whole answers were; `FAILED` where that is not as it should be."""
    parts = [
        ", ".join(sorted({_shown(results[str(case)]) for case in cases if case.shape.streamed is streamed}))
        for streamed in (True, False)
    ]
    return " / ".join(part for part in parts if part)


def _shown(result: Result) -> str:
    if result.problems:
        return "**FAILED**"
    if result.told is None:
        return "closed"
    return str(result.told.status) if result.told.ending is Ending.REFUSED else _SHORT[result.told.ending]
