"""The matrix as a table, from what was seen: a fault in each line, a surface in each column."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

from fault_asking import Result
from fault_cases import Case
from fault_table import FAULTS

from gateway.testing.told import Ending

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


def write(text: str, page: Path, *, block: str = "matrix") -> None:
    """Put the table between the page's markers for that block."""
    begin, end = (f"<!-- the {block} {word} -->\n" for word in ("begins", "ends"))
    before, found, rest = page.read_text("utf-8").partition(begin)
    if not found or end not in rest:
        raise ValueError(f"{page} has no place for the {block}: put the lines {begin}and {end}into it")
    page.write_text(f"{before}{begin}\n{text}\n{end}{rest.partition(end)[2]}", "utf-8")


def _counted(outcomes: Sequence[str]) -> str:
    """The outcomes of an exchange's attempts, the same ones together."""
    runs = [(outcome, len(list(same))) for outcome, same in groupby(outcomes)]
    return ", ".join(outcome if count == 1 else f"{count} x {outcome}" for outcome, count in runs)


def _cell(results: Mapping[str, Result], cases: Sequence[Case]) -> str:
    """What streams were told / what whole answers were; `FAILED` where that is not as it should be."""

    def shown(case: Case) -> str:
        result = results[str(case)]
        return "**FAILED**" if result.problems else in_a_word(result)

    parts = [
        ", ".join(sorted({shown(case) for case in cases if case.shape.streamed is streamed}))
        for streamed in (True, False)
    ]
    return " / ".join(part for part in parts if part)


def in_a_word(result: Result) -> str:
    """What the client was told, whether it should have been or not."""
    if any(problem.startswith("I1") for problem in result.problems):
        return "nothing"
    if result.told is None:
        return "closed"
    return str(result.told.status) if result.told.ending is Ending.REFUSED else _SHORT[result.told.ending]
