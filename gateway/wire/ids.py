"""Ids as PostgreSQL reads them."""

import re
from typing import Final

_UUID: Final = re.compile(r"(\{)?((?:[0-9A-Fa-f]{4}-?){7}[0-9A-Fa-f]{4})(?(1)\})")


def parse_uuid(text: str) -> str | None:
    """The canonical form of what PostgreSQL takes for a uuid, else None.

    It takes capitals, braces around the whole, and a hyphen, or none, after every four digits.
    """
    match = _UUID.fullmatch(text)
    if match is None:
        return None
    digits = match[2].replace("-", "").lower()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
