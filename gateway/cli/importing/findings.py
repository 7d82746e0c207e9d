"""What an import has to say of a row, and the row on its way into the registry."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from gateway.registry.imports import Incoming, Placed


class Raw(NamedTuple):
    """A row as its source holds it."""

    place: str
    """Where it stands, for people: `row 7`, `line 12`."""
    values: Mapping[str, Any]
    fault: str = ""
    """Why it cannot be read at all."""


Tables = dict[str, list[Raw]]
"""The rows of each table that a source has."""


class Finding(msgspec.Struct, frozen=True):
    """One thing to know about a row: what machines test for, and the sentence people read. Never a secret."""

    code: str
    message: str


class Candidate(msgspec.Struct, kw_only=True):
    """A row that has been looked at."""

    table: str
    place: str
    id: str | None = None
    name: str = ""
    owner: str | None = None
    findings: list[Finding]
    incoming: Incoming | None = None
    """None: it cannot be imported, the findings say why."""
    placed: Placed | None = None

    @property
    def done(self) -> str:
        """`added`, `updated`, `unchanged` or `failed`."""
        return self.placed.done if self.placed else "failed"
