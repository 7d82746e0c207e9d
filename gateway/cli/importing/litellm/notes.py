"""What the import has to say of every field: nothing of a configuration is dropped in silence."""

import re
from collections.abc import Iterator
from enum import StrEnum
from typing import Any, Final

import msgspec

_PLAIN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_UNKNOWN: Final = "The import does not know this field: nothing here does what it does."


class Level(StrEnum):
    """How much of a field's meaning is kept."""

    EXACT = "exact"
    APPROXIMATE = "approximate"
    MANUAL = "manual"
    """It can be had here, and somebody has to do something for it."""
    UNSUPPORTED = "unsupported"


class Note(msgspec.Struct, frozen=True):
    """What became of one field, or of all that stands below it. Never a secret."""

    path: str
    level: Level
    message: str


class Notes:
    """The notes of one import, each field's first one."""

    def __init__(self) -> None:
        self._said: dict[str, Note] = {}

    def say(self, path: str, level: Level, message: str) -> None:
        """Note this, unless something was said of that field already."""
        self._said.setdefault(path, Note(path, level, message))

    def __contains__(self, path: str) -> bool:
        return path in self._said

    def all(self) -> list[Note]:
        """Every note, in the order they were made."""
        return list(self._said.values())


class Field:
    """A value of the configuration at its place."""

    def __init__(self, value: Any, path: str, notes: Notes) -> None:
        self.value = value
        self.path = path
        self.notes = notes

    def get(self, name: str) -> "Field | None":
        """The field of that name, if this is a mapping that has it and it says something."""
        value = self.value.get(name) if isinstance(self.value, dict) else None
        return None if value is None else self._below(name, value)

    def fields(self) -> "Iterator[tuple[str, Field]]":
        """What a mapping holds; empty for anything else."""
        if isinstance(self.value, dict):
            yield from ((name, self._below(name, value)) for name, value in self.value.items())

    def elements(self) -> "Iterator[Field]":
        """What a list holds; empty for anything else."""
        if isinstance(self.value, list):
            yield from (Field(value, f"{self.path}[{at}]", self.notes) for at, value in enumerate(self.value))

    def text(self) -> str | None:
        """The text or number as text, None for anything else."""
        if isinstance(self.value, str):
            return self.value.strip() or None
        is_number = isinstance(self.value, int | float) and not isinstance(self.value, bool)
        return str(self.value) if is_number else None

    def number(self) -> float | None:
        """The number, also where it was written as text; None for anything else, and for what no number can be."""
        if isinstance(self.value, bool) or not isinstance(self.value, int | float | str):
            return None
        try:
            number = float(self.value)
        except (ValueError, OverflowError):
            return None
        return number if abs(number) < 1e15 else None

    def exact(self, message: str) -> None:
        """It means the same here."""
        self.notes.say(self.path, Level.EXACT, message)

    def approximate(self, message: str) -> None:
        """It means nearly the same here."""
        self.notes.say(self.path, Level.APPROXIMATE, message)

    def manual(self, message: str) -> None:
        """Somebody has to do something."""
        self.notes.say(self.path, Level.MANUAL, message)

    def unsupported(self, message: str) -> None:
        """It is lost."""
        self.notes.say(self.path, Level.UNSUPPORTED, message)

    def say(self, level: Level, message: str) -> None:
        """Note this of it."""
        self.notes.say(self.path, level, message)

    def rest(self, message: str = _UNKNOWN) -> None:
        """Say of everything below that nobody has spoken of that it is lost."""
        if self.path in self.notes:
            return
        below = [*(field for _, field in self.fields()), *self.elements()]
        if not below:
            self.unsupported(message)
        for field in below:
            field.rest(message)

    def _below(self, name: str, value: Any) -> "Field":
        if not self.path or self.path.endswith(": "):
            return Field(value, f"{self.path}{_written(name)}", self.notes)
        joined = f"{self.path}.{name}" if _PLAIN.fullmatch(name) else f"{self.path}[{_written(name)}]"
        return Field(value, joined, self.notes)


def _written(name: str) -> str:
    """A key as it stands in a path; long ones and those with odd characters in quotes."""
    return name if _PLAIN.fullmatch(name) else msgspec.json.encode(name).decode()
