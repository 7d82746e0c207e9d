"""Counts as a table, printed and, where a page is named, written between its markers."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path


class Report:
    """Rows of one table, in the order they were told."""

    def __init__(self, name: str, head: Sequence[str]) -> None:
        self._name = name
        self._head = head
        self._rows: list[Sequence[object]] = []

    def add(self, *cells: object) -> None:
        """One more row."""
        self._rows.append(cells)

    def show(self, page: str | None) -> None:
        """Print the table; write it into the page, if one is named."""
        if not self._rows:
            return
        lines = [self._head, ["---"] * len(self._head), *self._rows]
        table = "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)
        text = f"{datetime.now(UTC):%Y-%m-%d}:\n\n{table}\n"
        print(f"\n{self._name}, {text}")
        if page:
            begin, end = f"<!-- {self._name} begin -->\n", f"<!-- {self._name} end -->\n"
            before, found, rest = Path(page).read_text("utf-8").partition(begin)
            assert found, f"{page} has no line {begin!r}"
            Path(page).write_text(f"{before}{begin}\n{text}\n{end}{rest.partition(end)[2]}", "utf-8")
