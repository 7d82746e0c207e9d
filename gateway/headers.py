"""What a header may hold, on either side of the gateway."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from gateway.errors import Headers

TOKEN: Final = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
"""The characters of a name or a method: RFC 9110's tchar."""
VALUE: Final = bytes((9, *range(0x20, 0x7F), *range(0x80, 0x100)))
"""The bytes a value may hold: RFC 9110's field-content."""
_FRAMING: Final = frozenset(
    {"connection", "content-length", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"}
)


def check_added(headers: "Headers") -> None:
    """Raise `ValueError` for a header that cannot be added to an answer, or that says how the answer is sent."""
    said: Iterable[tuple[object, object]] = headers
    for name, value in said:
        if not isinstance(name, str) or not name or not TOKEN.issuperset(name):
            raise ValueError(f"{name!r} cannot be the name of a header")
        if name.lower() in _FRAMING:
            raise ValueError(f"the header {name!r} is the server's to say")
        if not isinstance(value, str) or value.encode("latin-1", "replace").translate(None, VALUE):
            raise ValueError(f"the header {name!r} cannot have that value: text without control characters")
