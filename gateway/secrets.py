"""Values that must not be seen: a wrapper that never prints, and the redaction of foreign text."""

import hashlib
import json
import re
from collections.abc import Iterable

_MASK = "***"
_PATTERNS = (
    (re.compile(r"\b(sk|pk|rk|gw|key)-[A-Za-z0-9_-]{8,}"), r"\1-" + _MASK),
    (re.compile(r"\b(ya29\.|AIza|AQ\.)[A-Za-z0-9._-]{20,}"), r"\1" + _MASK),
    (re.compile(r"(?i)\b(bearer\s+)[A-Za-z0-9._~+/=-]{8,}"), r"\1" + _MASK),
    (re.compile(r"(?i)((?:api[_-]?)?(?:key|token|secret)=)[^\s&\"'\\,;]{4,}"), r"\1" + _MASK),
)


class Secret:
    """A value that stays unreadable in logs, tracebacks, JSON and f-strings; `reveal()` gives it out."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value itself; call it only where it leaves for its destination."""
        return self._value

    def digest(self) -> bytes:
        """32 bytes that identify the value without telling it (BLAKE2b)."""
        return hashlib.blake2b(self._value.encode("utf-8", "surrogatepass"), digest_size=32).digest()

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash(("Secret", self._value))

    def __repr__(self) -> str:
        return f"Secret('{_MASK}')" if self._value else "Secret('')"

    def __str__(self) -> str:
        return _MASK if self._value else ""


def redact(text: str, known: Iterable[Secret] = ()) -> str:
    """`text` without the `known` secrets and without anything that has the shape of one.

    The second net under the `Secret` type: upstreams quote keys in their error texts.
    """
    for secret in known:
        value = secret.reveal().strip()
        if len(value) >= 4:
            # In a JSON text a key with a quote or a backslash is spelled otherwise than it is.
            for spelling in (value, json.dumps(value, ensure_ascii=False)[1:-1], json.dumps(value)[1:-1]):
                text = text.replace(spelling, _MASK)
    for pattern, replacement in _PATTERNS:
        text = pattern.sub(replacement, text)
    return text
