"""Reads the values of a row, whatever its source made of them: text, or what a driver decoded."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from gateway.cli.importing.findings import Finding
from gateway.registry import InvalidValue
from gateway.settings import limits


class Values:
    """The columns of one row. What cannot be stored is collected in `faults`, what is to be known in `notes`."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values
        self.faults: list[Finding] = []
        self.notes: list[Finding] = []

    def has(self, column: str) -> bool:
        """Whether there is something in that column."""
        return self._values.get(column) not in (None, "")

    def text(self, column: str, *, limit_of: str | None = None) -> str:
        """The text, empty where it is null; a fault where it breaks the limits of the column `limit_of` here."""
        value = self._values.get(column)
        text = "" if value is None else str(value)
        try:
            return limits.check_text(limit_of or column, text)
        except InvalidValue as error:
            self.faults.append(Finding("invalid_value", str(error)))
            return text.encode("utf-8", "replace").decode()  # such as can be shown

    def uuid(self, column: str, code: str) -> str:
        """The id, which has to be there. Its text is not repeated: in a shifted row it may be a key."""
        try:
            return limits.canonical_uuid(str(self._values.get(column)))
        except InvalidValue:
            self.faults.append(Finding(code, f"The {column} is no UUID."))
            return ""

    def optional_uuid(self, column: str, code: str) -> str | None:
        """The id, None where there is none or no good one."""
        if not self.has(column):
            return None
        try:
            return limits.canonical_uuid(str(self._values[column]))
        except InvalidValue:
            self.notes.append(Finding(code, f"The {column} is no UUID: it is left out."))
            return None

    def number(self, column: str, default: int) -> int:
        """The whole number, `default` where there is none."""
        if not self.has(column):
            return default
        try:
            number = int(str(self._values[column]))
        except ValueError:
            number = -1
        if not 0 <= number < 2**31:
            self.faults.append(Finding("invalid_value", f"The {column} is no whole number from 0 to {2**31 - 1}."))
        return number

    def times(self) -> dict[str, datetime | None]:
        """`created_at` and `updated_at` as far as they are known."""
        found: dict[str, datetime | None] = {"updated_at": self._time("updated_at")}
        if (created := self._time("created_at")) is not None:
            found["created_at"] = created
        return found

    def _time(self, column: str) -> datetime | None:
        if not self.has(column):
            return None
        value = self._values[column]
        try:
            time = value if isinstance(value, datetime) else datetime.fromisoformat(str(value).strip())
            return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, OverflowError):
            self.notes.append(Finding("bad_date", f"The {column} is no date: it is left out."))
            return None
