"""What an error answer's headers say about trying again."""

import math
import re
import time
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

from gateway.errors import Headers

_NUMBER: Final = re.compile(r"[0-9]+(\.[0-9]+)?")
_MADE_TO_REPEAT: Final = (408, 409, 429)


def retryable(status: int, headers: Headers) -> bool:
    """Whether another try may succeed; the upstream's own word (`x-should-retry`) counts most."""
    said = dict(headers).get("x-should-retry", "")
    if said in ("true", "false"):
        return said == "true"
    return status in _MADE_TO_REPEAT or status >= 500


def retry_after(headers: Headers) -> float | None:
    """Seconds to wait, from `retry-after-ms` or `retry-after` (seconds or a date); None when nothing usable is said."""
    by_name = dict(headers)
    milliseconds = _number(by_name.get("retry-after-ms", ""))
    if milliseconds is not None:
        return milliseconds / 1000
    said = by_name.get("retry-after", "")
    seconds = _number(said)
    return _until(said) if seconds is None else seconds


def _number(text: str) -> float | None:
    text = text.strip()
    value = float(text) if _NUMBER.fullmatch(text) else math.inf
    return value if math.isfinite(value) else None


def _until(date: str) -> float | None:
    try:
        at = parsedate_to_datetime(date)
        seconds = (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() - time.time()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
    return seconds if seconds >= 0 else None
