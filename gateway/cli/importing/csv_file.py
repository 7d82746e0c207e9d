"""Reads a table exported as CSV, the way Supabase's dashboard writes it: comma, UTF-8, a header, null as empty."""

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from gateway.cli.endings import Failed
from gateway.cli.importing.findings import Raw, Tables

_MARKS: Final = {"models": {"id", "user_id", "base_url"}, "profiles": {"user_id", "username"}}
"""The columns by which a header is known."""


def table_of(header: str) -> str | None:
    """The table whose header that line is; None for any other line."""
    try:
        columns = {cell.strip() for cell in next(csv.reader([header.lstrip("\ufeff")], strict=True), ())}
    except csv.Error:
        return None
    return next((table for table, marks in _MARKS.items() if marks <= columns), None)


def read_csv(path: Path, lines: Iterable[str], table: str) -> Tables:
    """The rows of the file."""
    reader = csv.reader(lines, strict=True)
    rows: list[Raw] = []
    try:
        header = [cell.strip() for cell in next(reader)]
        for cells in reader:
            if not cells:
                continue  # an empty line
            fault = (
                "" if len(cells) == len(header) else f"It has {len(cells)} cells where the header has {len(header)}."
            )
            values = {} if fault else {name: cell or None for name, cell in zip(header, cells, strict=True)}
            rows.append(Raw(f"line {reader.line_num}", values, fault))
    except csv.Error as error:
        raise Failed(f"{path.name}, line {reader.line_num}: this is no CSV ({error}).") from error
    return {table: rows}
