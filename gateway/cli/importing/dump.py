"""Reads tables from what `pg_dump` writes as plain text: COPY blocks and INSERTs, line by line, whatever its size."""

import re
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Final

from gateway.cli.endings import Failed
from gateway.cli.importing.findings import Raw, Tables
from gateway.cli.importing.sql_text import QUALIFIED, Unreadable, copied, end_of_statement, inserted, names

_COPY: Final = re.compile(rf"COPY\s+({QUALIFIED})\s*(?:\((.*)\)\s*)?FROM\s+stdin\b[^;]*;\s*$", re.IGNORECASE)
_INSERT: Final = re.compile(
    rf"INSERT\s+INTO\s+({QUALIFIED})\s*(?:\(([^()]*)\)\s*)?(?:OVERRIDING\s+\w+\s+VALUE\s+)?VALUES", re.IGNORECASE
)
_CREATE: Final = re.compile(
    rf"CREATE\s+(?:UNLOGGED\s+)?TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?({QUALIFIED})\s*\(", re.IGNORECASE
)
_NO_COLUMN: Final = {"constraint", "primary", "unique", "check", "foreign", "exclude", "like"}


class Dump:
    """One pass over a dump; `tables` holds what was found of the wanted ones."""

    def __init__(self, path: Path, wanted: Collection[str]) -> None:
        self.tables: Tables = {}
        self._path = path
        self._wanted = wanted
        self._columns: dict[str, list[str]] = {}
        self._number = 0

    def read(self, lines: Iterable[str]) -> Tables:
        """The rows of the wanted tables."""
        numbered = self._numbered(lines)
        try:
            for line in numbered:
                self._statement(line, numbered)
        except Unreadable as error:
            raise Failed(f"{self._path.name}, line {self._number}: {error}.") from error
        return self.tables

    def _numbered(self, lines: Iterable[str]) -> Iterator[str]:
        for line in lines:
            self._number += 1
            yield line

    def _statement(self, line: str, lines: Iterator[str]) -> None:
        """One statement from its first line on, and those behind it on its last."""
        if not line.strip() or line.startswith("\\"):  # psql's own commands, as newer dumps have them
            return
        if (copy := _COPY.match(line)) is not None:
            self._copy(copy, lines)
            return
        kept: list[str] | None = [] if self._is_wanted(line) else None
        end, inside = end_of_statement(line, "")
        if end < 0 and not inside and line.lstrip().startswith("--"):
            return
        while end < 0:
            if kept is not None:
                kept.append(line)
            line = next(lines, "")
            if not line:
                if kept:
                    raise Unreadable("the file ends inside a statement: it is cut")
                return
            end, inside = end_of_statement(line, inside)
        if kept is not None:
            self._take("".join((*kept, line[:end])))
        self._statement(line[end:].lstrip(), lines)

    def _is_wanted(self, line: str) -> bool:
        return any((found := head.match(line)) and self._table(found[1]) for head in (_INSERT, _CREATE))

    def _table(self, name: str) -> str | None:
        """The wanted table of that name, in the schema `public` or in none: ours has a table `models`, too."""
        *schema, table = names(name)
        return table if schema in ([], ["public"]) and table in self._wanted else None

    def _copy(self, head: re.Match[str], lines: Iterator[str]) -> None:
        table, columns = self._table(head[1]), names(head[2] or "")
        for line in lines:
            row = line.rstrip("\n").removesuffix("\r")
            if row == r"\.":
                if table is not None:
                    self.tables.setdefault(table, [])
                return
            if table is not None:
                self._add(table, columns, copied(row))
        raise Unreadable("the file ends inside a COPY: it is cut")

    def _take(self, statement: str) -> None:
        if (head := _CREATE.match(statement)) is not None:
            found = (names(line)[:1] for line in statement[head.end() :].splitlines())
            table = str(self._table(head[1]))
            self._columns[table] = [name for one in found for name in one if name not in _NO_COLUMN]
            return
        head = _INSERT.match(statement)
        assert head is not None
        table = str(self._table(head[1]))
        columns = names(head[2]) if head[2] else self._columns.get(table)
        if columns is None:
            raise Unreadable("INSERT names no columns: dump again with --column-inserts")
        for row in inserted(statement[head.end() :]):
            self._add(table, columns, row)

    def _add(self, table: str, columns: list[str], cells: list[str | None]) -> None:
        if len(cells) != len(columns):
            raise Unreadable(f"a row has {len(cells)} values for {len(columns)} columns")
        rows = self.tables.setdefault(table, [])
        rows.append(Raw(f"row {len(rows) + 1}", dict(zip(columns, cells, strict=True))))
