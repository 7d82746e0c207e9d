"""Ids: as PostgreSQL reads them, and as we make them."""

import random
import re
import time
from typing import Final

_UUID: Final = re.compile(r"(\{)?((?:[0-9A-Fa-f]{4}-?){7}[0-9A-Fa-f]{4})(?(1)\})")


def new_id() -> str:
    """A UUID of version 7 (RFC 9562) as 32 hex digits: ids sort by the millisecond in which they were made.

    So rows that are kept by them are added where the last ones were. By random ids they go anywhere in an index: with
    300,000 usage records in SQLite each one more took three times as long, and the longer the more there were.
    It is a name and no secret: who has seen many can tell the next. Forked processes draw different ones.
    """
    # Not the system's randomness: asking for it lets go of the interpreter, which another thread may take for long.
    return f"{time.time_ns() // 1_000_000:012x}7{random.getrandbits(12):03x}8{random.getrandbits(60):015x}"


def parse_uuid(text: str) -> str | None:
    """The canonical form of what PostgreSQL takes for a uuid, else None.

    It takes capitals, braces around the whole, and a hyphen, or none, after every four digits.
    """
    match = _UUID.fullmatch(text)
    if match is None:
        return None
    digits = match[2].replace("-", "").lower()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
