"""Proofs of thinking that another upstream made: marked for the way through a client's dialect and back."""

import re
from typing import Final

_PREFIX: Final = "gateway:"
FOREIGN: Final = re.compile(rb'"(?:signature|data|encrypted_content)"\s*:\s*"gateway:')
"""Finds marked proofs in JSON."""


def marked(proof: str | None, maker: str, own: str) -> str:
    """What stands in the place of a proof that the dialect `own` has not made, also of none at all."""
    return proof or "" if maker == own else f"{_PREFIX}{maker}:{proof or ''}"


def is_foreign(proof: str) -> bool:
    """Whether another upstream made it."""
    return proof.startswith(_PREFIX)


def unmarked(proof: str, own: str) -> tuple[str | None, str | None]:
    """The proof, None for none, and the upstream dialect it belongs to."""
    if not proof.startswith(_PREFIX):
        return (proof, own) if proof else (None, None)
    maker, _, foreign = proof.removeprefix(_PREFIX).partition(":")
    return foreign or None, maker or None
