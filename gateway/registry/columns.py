"""Column types of our own: sealed text and points in time."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Dialect


class Ciphertext(msgspec.Struct, frozen=True):
    """Text a keyring has sealed, as it is stored."""

    text: str


class Sealed(sa.TypeDecorator[Ciphertext]):
    """A column that takes sealed text only.

    Sealing happens before the statement is built, so that neither a statement, its parameters nor an error about them
    ever holds the plain text; a plain string is refused.
    """

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: Ciphertext | None, dialect: Dialect) -> str | None:
        """The stored form."""
        if value is None:
            return None
        if not isinstance(value, Ciphertext):
            raise TypeError("a sealed column takes what a keyring sealed, never plain text")
        return value.text

    def process_result_value(self, value: Any, dialect: Dialect) -> Ciphertext | None:
        """What the keyring can open."""
        return None if value is None else Ciphertext(value)


class Timestamp(sa.TypeDecorator[datetime]):
    """A point in time, always in UTC: SQLite keeps no time zone."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """The time in UTC."""
        return None if value is None else value.astimezone(UTC)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """The time, with its zone."""
        if value is None:
            return None
        aware: datetime = value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
        return aware
