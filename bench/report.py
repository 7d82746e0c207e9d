"""The tables."""

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
    section: str = ""
    """The part of the page it belongs to."""


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


def summary_table(scenarios: Sequence[Scenario], rounds: Rounds, names: Sequence[str], ours: str) -> Table:
    """What counts most of every scenario: medians, and how they stand to ours."""
    rows = []
    for scenario in scenarios:
        for figure in scenario.ratios:
            title = scenario.title if figure == scenario.ratios[0] else ""
            rows.append([title, figure, *(_summed(scenario, rounds, name, ours, figure) for name in names)])
    note = f"The median, in brackets its ratio to {ours}. *: some answers were wrong, its table says which."
    return Table("Summary", ["", "", *names], rows, note)


def _summed(scenario: Scenario, rounds: Rounds, name: str, ours: str, figure: str) -> str:
    spread = rounds.figure(scenario, name, figure)
    if spread is None or spread.median != spread.median:
        return "-"
    ratio = "" if name == ours else f" ({_ratio(spread, rounds.figure(scenario, ours, figure))})"
    return f"{_number(spread.median, 1)}{ratio}{'*' if rounds.trouble(scenario, name) else ''}"


def scenario_table(scenario: Scenario, rounds: Rounds, names: Sequence[str], ours: str) -> Table:
    """One scenario: a row for each target, ratios to ours in the last columns."""
    rows = []
    for name in names:
        spreads = {figure: rounds.figure(scenario, name, figure) for figure in scenario.figures}
        if None not in spreads.values():
            ratios = [_ratio(spreads[figure], rounds.figure(scenario, ours, figure)) for figure in scenario.ratios]
            rows.append([name, *map(shown, spreads.values()), *ratios])
    notes = [note for name in names for note in (rounds.trouble(scenario, name), rounds.restless(scenario, name))]
    note = " ".join(filter(None, (rounds.told(scenario), *notes)))
    heads = ["", *scenario.figures, *(f"{figure} to ours" for figure in scenario.ratios)]
    return Table(scenario.title, heads, rows, note)


def _ratio(one: Spread | None, other: Spread | None) -> str:
    if one is None or other is None or not other.median or one.median != one.median:
        return "-"
    ratio = one.median / other.median
    return f"{ratio:.2f}" if ratio >= 0.1 else f"{ratio:.2g}"


def comparison_table(comparison: Comparison) -> Table:
    """What each variant costs more than the base."""
    rounds, scenarios = comparison.rounds, comparison.scenarios
    base = [rounds.figure(scenario, comparison.base, scenario.figures[0]) for scenario in scenarios]
    more = {
        name: [rounds.difference(scenario, name, comparison.base, scenario.figures[0]) for scenario in scenarios]
        for name in comparison.names
    }
    titles = [scenario.title for scenario in scenarios]
    note = f"The whole process with its threads, over sockets. {rounds.told(scenarios[0])}"
    return difference_table(comparison.title, titles, {comparison.base: base}, more, note)


def difference_table(
    title: str,
    columns: Sequence[str],
    base: Mapping[str, Sequence[Spread | None]],
    more: Mapping[str, Sequence[Spread]],
    note: str,
) -> Table:
    """What the base costs, and how much more the others."""
    rows = [[name, *map(shown, spreads)] for name, spreads in base.items()]
    rows += [[name, *map(_more, spreads)] for name, spreads in more.items()]
    return Table(title, ["", *columns], rows, note)


def _more(spread: Spread) -> str:
    """A difference with its interval; bold when nothing is outside of it."""
    told = f"{spread.median:+.2f} ({spread.low:+.2f} to {spread.high:+.2f})"
    return f"**{told}**" if spread.low > 0 or spread.high < 0 else told


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
