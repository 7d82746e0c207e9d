"""Text made of UTF-16 units: what JSON escapes can say and UTF-8 cannot."""

from collections.abc import Hashable


def well_formed(text: str) -> str:
    """`text` with halves of surrogate pairs joined and lone ones replaced by U+FFFD."""
    return text if text.isascii() else text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def split_half(text: str) -> tuple[str, str]:
    """`text` without, and then only, the first half of a surrogate pair at its end."""
    return (text[:-1], text[-1]) if text and "\ud800" <= text[-1] <= "\udbff" else (text, "")


class Halves:
    """Joins surrogate pairs that were cut between two deltas of one running text."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: dict[Hashable, str] = {}

    def joined(self, key: Hashable, text: str) -> str:
        """The text with what the last delta of `key` held back, less what the next one may complete."""
        if text.isascii() and not self._waiting:
            return text
        text, half = split_half(self._waiting.pop(key, "") + text)
        if half:
            self._waiting[key] = half
        return well_formed(text)

    def left(self, key: Hashable) -> str:
        """U+FFFD for a half that nothing will complete any more, else nothing."""
        return "\ufffd" if self._waiting.pop(key, "") else ""
