"""Text made of UTF-16 units: what JSON escapes can say and UTF-8 cannot."""


def well_formed(text: str) -> str:
    """`text` with halves of surrogate pairs joined and lone ones replaced by U+FFFD."""
    return text if text.isascii() else text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def split_half(text: str) -> tuple[str, str]:
    """`text` without, and then only, the first half of a surrogate pair at its end."""
    return (text[:-1], text[-1]) if text and "\ud800" <= text[-1] <= "\udbff" else (text, "")
