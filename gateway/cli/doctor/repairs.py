"""From a sentence about a wrong setting to the command that takes the wrong value away."""

import re
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from gateway.cli.doctor.finding import aside, command

_VARIABLES = re.compile(r"GATEWAY_[A-Z0-9_]+(?:, GATEWAY_[A-Z0-9_]+)*(?=[:.])")
_UNREADABLE = ("is not valid TOML", "is not UTF-8", "is nested too deeply")
_LINES = 40
"""The longest value that is looked for in a file."""


class Repairs:
    """Knows the files that settings may have come from."""

    def __init__(self, files: Sequence[Path], data_dir: Path) -> None:
        self._files = files
        self._data_dir = data_dir

    def of(self, problem: str) -> str:
        """The command; empty where there is none."""
        if named := _VARIABLES.match(problem):
            return command("unset", *named[0].split(", "))
        for file in self._files:
            if problem.startswith(f"{file}: "):
                return _in_file(file, problem.removeprefix(f"{file}: "))
            if f"cannot read {file}: " in problem and file.exists():
                return command("chmod", "u+r", file)
        switches = self._data_dir / "plugins.json"
        if problem.startswith(f"{switches}: "):
            return aside(switches) if "is damaged" in problem else ""
        if problem.startswith("data_dir: "):
            return "export GATEWAY_DATA_DIR=/var/lib/litestar-gateway"
        if problem.startswith("plugins."):
            name = re.split(r"[.:]", problem)[1]
            found = self._section(("plugins", name))
            return found or command("export", f"GATEWAY_PLUGINS__{name.upper()}__ENABLED=false")
        return ""

    def _section(self, path: Sequence[str]) -> str:
        return next((found for file in self._files if (found := _commented(file, path))), "")


def _in_file(file: Path, problem: str) -> str:
    if problem.startswith(_UNREADABLE):
        return aside(file)
    path = re.split(r"[:,]", problem)[0].split(".")
    while path:  # the problem may be with one element of the value
        if found := _commented(file, path):
            return found
        path = path[:-1]
    return aside(file)


def _commented(file: Path, path: Sequence[str]) -> str:
    """The command that makes comments of the lines which hold that key, and of no others; empty when there are none."""
    try:
        lines = file.read_text("utf-8").splitlines()
        left = _without(tomllib.loads("\n".join(lines)), path)
    except (OSError, ValueError):  # of tomllib and of the decoder too
        return ""
    if left is None:
        return ""
    for first, last in _ranges(lines, path[-1]):
        changed = [f"# {line}" if first <= number <= last else line for number, line in enumerate(lines)]
        try:
            if _pruned(tomllib.loads("\n".join(changed))) == _pruned(left):
                span = f"{first + 1}" if first == last else f"{first + 1},{last + 1}"
                return command("sed", "-i.bak", f"{span}s/^/# /", file)
        except tomllib.TOMLDecodeError:
            continue
    return ""


def _ranges(lines: Sequence[str], key: str) -> Iterator[tuple[int, int]]:
    for first in (number for number, line in enumerate(lines) if key in line):
        for last in range(first, min(len(lines), first + _LINES)):
            yield first, last


def _without(table: dict[str, Any], path: Sequence[str]) -> dict[str, Any] | None:
    """The table without that key; None when there is no such key."""
    key, *rest = path
    if key not in table:
        return None
    left = {name: value for name, value in table.items() if name != key}
    if not rest:
        return left
    inner = _without(table[key], rest) if isinstance(table[key], dict) else None
    return None if inner is None else {**table, key: inner}


def _pruned(table: dict[str, Any]) -> dict[str, Any]:
    """The table without tables in which nothing is: their headers make no difference."""
    pruned = {key: _pruned(value) if isinstance(value, dict) else value for key, value in table.items()}
    return {key: value for key, value in pruned.items() if value != {}}
