"""The tables: on the terminal, and as docs/benchmarks.md."""

from collections.abc import Mapping, Sequence

import msgspec

from bench.comparing import Comparison
from bench.rounds import Rounds, Spread
from bench.scenarios import Scenario


class Table(msgspec.Struct, frozen=True):
    """Rows under a title."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""


def markdown(table: Table) -> str:
    """The table as Markdown; it reads well as plain text, too."""
    cells = [list(table.columns), *([str(cell) for cell in row] for row in table.rows)]
    widths = [max(len(row[at]) for row in cells) for at in range(len(table.columns))]
    lines = [
        _line([row[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True))])
        for row in cells
    ]
    rule = _line(["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])])
    note = f"\n{table.note}\n" if table.note else ""
    return f"### {table.title}\n{note}\n" + "\n".join([lines[0], rule, *lines[1:]]) + "\n"


def scenario_table(scenario: Scenario, rounds: Rounds, names: Sequence[str], ours: str) -> Table:
    """One scenario: a row for each target, the ratio of its first figure to ours in the last column."""
    leading = scenario.figures[0]
    reference = rounds.figure(scenario, ours, leading)
    rows = []
    for name in names:
        spreads = [rounds.figure(scenario, name, figure) for figure in scenario.figures]
        if spreads[0] is None:
            continue
        ratio = spreads[0].median / reference.median if reference and reference.median else float("nan")
        rows.append([name, *(shown(spread) for spread in spreads), f"{ratio:.2f}"])
    note = " ".join(filter(None, (rounds.trouble(scenario, name) for name in names)))
    return Table(scenario.title, ["", *scenario.figures, f"{leading} to ours"], rows, note)


def comparison_table(comparison: Comparison) -> Table:
    """What each variant costs more than the base."""
    rounds, scenarios = comparison.rounds, comparison.scenarios
    base = [rounds.figure(scenario, comparison.base, scenario.figures[0]) for scenario in scenarios]
    more = {
        name: [rounds.difference(scenario, name, comparison.base, scenario.figures[0]) for scenario in scenarios]
        for name in comparison.names
    }
    titles = [scenario.title for scenario in scenarios]
    return difference_table(comparison.title, titles, {comparison.base: base}, more)


def difference_table(
    title: str,
    columns: Sequence[str],
    base: Mapping[str, Sequence[Spread | None]],
    more: Mapping[str, Sequence[Spread]],
    note: str = "CPU time in us",
) -> Table:
    """What the base costs, and how much more the others."""
    rows = [[name, *(shown(spread) for spread in spreads)] for name, spreads in base.items()]
    for name, spreads in more.items():
        rows.append([name, *(f"{spread.median:+.2f} ({spread.low:+.2f} to {spread.high:+.2f})" for spread in spreads)])
    method = (
        "first the base, median, least and greatest; then how much more the others take: the difference of the lower "
        "quartiles (what else runs on a machine only adds), with its 95 % interval."
    )
    return Table(title, ["", *columns], rows, f"{note}: {method}")


def shown(spread: Spread | None, digits: int = 1) -> str:
    """The median, and from where to where it went."""
    if spread is None:
        return "-"
    middle, low, high = (_number(value, digits) for value in (spread.median, spread.low, spread.high))
    return middle if low == high else f"{middle} ({low} to {high})"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _number(value: float, digits: int) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.{digits}f}" if value == value else "-"
