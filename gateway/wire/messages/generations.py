"""What Claude models of one generation take and others refuse, as data; by the version in a model's id."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

_ID: Final = re.compile(
    r"claude-(?:(\d)(?:[-.](\d))?-)?(?:opus|sonnet|haiku|fable|mythos)(?:-(\d)(?!\d)(?:[-.](\d{1,2})(?!\d))?)?"
)
_NEWEST: Final = (99, 0)

ADAPTIVE_SINCE: Final = (4, 6)
"""Before: `thinking` wants a budget, and there is no effort to give. Since: the model decides, by the effort."""
BUDGETS_UNTIL: Final = (4, 7)
"""Since: a budget is refused, and so is turning thinking off."""
SAMPLING_UNTIL: Final = (4, 7)
"""Since: `SAMPLING` is refused."""
SAMPLING: Final = frozenset(("temperature", "top_p", "top_k"))

BUDGETS: Final[Mapping[str, int]] = MappingProxyType(
    {"low": 2048, "medium": 8192, "high": 16384, "xhigh": 24576, "max": 32000}
)
"""Tokens to think with, for models that want a number where a word was given."""
LEAST_BUDGET: Final = 1024


def generation(model_id: str) -> tuple[int, int] | None:
    """The version of a Claude model, as `(4, 6)`; None for a model of another maker."""
    match = _ID.search(model_id.lower())
    if match is None:
        return None
    major, minor = (match[1], match[2]) if match[1] else (match[3], match[4])
    return (int(major), int(minor or 0)) if major else _NEWEST


def effort_of(budget: int) -> str:
    """The word for a budget."""
    return next((word for word, most in BUDGETS.items() if budget <= most), "max")
