"""Print a list: JSON when asked for, a table on a terminal, tab-separated lines to a pipe."""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import rich_click as click


def show_list(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], *, as_json: bool) -> None:
    """Print the rows: all their fields as JSON, else the named columns."""
    if as_json:
        click.echo(json.dumps(list(rows), indent=2))
    elif sys.stdout.isatty():
        _show_table(rows, columns)
    else:
        for cells in ([*columns], *([_cell(row[column]) for column in columns] for row in rows)):
            click.echo("\t".join(cell.replace("\t", " ").replace("\n", " ") for cell in cells))


def _show_table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*columns, box=SIMPLE_HEAD)
    for row in rows:
        table.add_row(*(Text(_cell(row[column]), overflow="fold") for column in columns))  # Text: no markup in data
    Console().print(table)


def _cell(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return "" if value is None else str(value)
