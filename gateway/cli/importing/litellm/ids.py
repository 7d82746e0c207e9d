"""Ids that the import makes: the same at every import, and known again as the import's."""

import uuid
from typing import Final

_NAMESPACE: Final = uuid.UUID("0d1f7f4e-8a0b-4b39-9d5c-7e1f52c3aa64")
_MARK: Final = bytes.fromhex("117e11a7")
"""How all of them begin: what an earlier import made, and the file has no more, can be told."""


def made_of(*parts: str) -> str:
    """A UUID of version 8: the mark, and what these parts hash to."""
    raw = bytearray(uuid.uuid5(_NAMESPACE, "\0".join(parts)).bytes)
    raw[: len(_MARK)] = _MARK
    raw[6] = 0x80 | raw[6] & 0x0F
    return str(uuid.UUID(bytes=bytes(raw)))


def is_made(id: str) -> bool:
    """Whether an import made this id."""
    return id.startswith(_MARK.hex()) and id[14] == "8"
