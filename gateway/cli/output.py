"""What commands print: a table on a terminal, plain columns in a pipe, JSON when asked."""

import os
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from shutil import get_terminal_size
from typing import Any

import click

_FRAME = 3
"""What a table's lines take beside each column."""


def print_json(value: Any) -> None:
    """`value` as indented JSON."""
    import msgspec

    click.echo(msgspec.json.format(msgspec.json.encode(value), indent=2))


def json_text(value: Any) -> str:
    """`value` as JSON in one line."""
    import msgspec

    return msgspec.json.encode(value).decode()


def print_rows(columns: Sequence[str], rows: Sequence[Sequence[object]], *, empty: str) -> None:
    """Rows under their columns' names; `empty` goes to stderr when there are none."""
    if not rows:
        click.echo(empty, err=True)
        return
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(columns, *cells, strict=True)]
    if sys.stdout.isatty() and os.environ.get("TERM") != "dumb":
        room = get_terminal_size().columns
        if sum(widths) + _FRAME * len(widths) < room:
            _print_table(columns, cells, room)
        else:
            _print_blocks(columns, cells)
        return
    for line in (columns, *cells):
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def print_fields(fields: Mapping[str, object]) -> None:
    """One line for each field."""
    width = max(map(len, fields))
    for name, value in fields.items():
        click.echo(f"{name.ljust(width)}  {_cell(value)}".rstrip())


def _print_blocks(columns: Sequence[str], cells: Sequence[Sequence[str]]) -> None:
    """Each row as lines of its own: in a table too wide for the terminal no id could be copied."""
    for number, row in enumerate(cells):
        if number:
            click.echo()
        print_fields(dict(zip(columns, row, strict=True)))


def _print_table(columns: Sequence[str], cells: Sequence[Sequence[str]], room: int) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*columns)
    for row in cells:
        table.add_row(*(Text(cell, overflow="fold") for cell in row))  # Text: a name is never read as markup
    Console(width=room).print(table)


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M")
    if isinstance(value, (dict, list)):
        value = json_text(value)  # it can be pasted where JSON is wanted, as after `--set`
    text = ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
    # A name must not be able to move a terminal's cursor.
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)
