"""What Gemini models of one generation take and others refuse, as data; by the version in a model's id."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from gateway.prompt import Thinking

_ID: Final = re.compile(r"gemini-(?:(\d{1,2})(?:[.-](\d{1,2})(?!\d))?-)?(?(1)([a-z]+(?:-lite)?)|(pro|flash(?:-lite)?))")
_NEWEST: Final = (99, 0)

BUDGETS_SINCE: Final = (2, 5)
"""Before: no thinking to be told of. Since: a budget of tokens."""
LEVELS_SINCE: Final = (3, 0)
"""Since: a level in a word, tools that answer with images, and calls of the turn must have a signature."""
_MIDDLE_SINCE: Final = (3, 1)
"""Since: the level `medium` for every kind of model."""

_BUDGETS: Final[Mapping[str, int]] = MappingProxyType({"minimal": 512, "low": 1024, "medium": 8192, "high": 24576})
"""Tokens to think with, as Google's own endpoint for chat reads the words."""
_RANGES: Final[Mapping[str, tuple[int, int]]] = MappingProxyType({"pro": (128, 32768), "flash-lite": (512, 24576)})
"""The budgets a kind of model takes; 0 besides, where it is not `pro`."""
_RANGE: Final = (1, 24576)
_DYNAMIC: Final = -1
_WORDS: Final = ((4096, "low"), (16384, "medium"))
"""A budget as a level, as far as the number; all above is `high`."""
_UNTHINKING: Final = ("-image", "-tts")
"""Models before `LEVELS_SINCE` that draw or speak do not think."""


class Generation(NamedTuple):
    """A model's version and kind, such as `((2, 5), "flash-lite")`."""

    version: tuple[int, int]
    kind: str

    @property
    def signs_calls(self) -> bool:
        """Whether it wants a thought signature on the calls of the turn it goes on with."""
        return self.version >= LEVELS_SINCE

    @property
    def sees_results(self) -> bool:
        """Whether what a tool answers may hold images and files."""
        return self.version >= LEVELS_SINCE


def generation(model_id: str) -> Generation | None:
    """The generation of a Gemini model; None for another model, which takes no word about its thinking."""
    name = model_id.lower()
    match = _ID.search(name)
    if match is None:
        return None
    major, minor, kind, newest = match.groups()
    version = (int(major), int(minor or 0)) if major else _NEWEST
    if version < LEVELS_SINCE and any(word in name for word in _UNTHINKING):
        return None
    return Generation(version, kind or newest)


def thinks(thinking: Thinking | None) -> bool:
    """Whether the client asks for thinking."""
    if thinking is None or thinking.enabled is False or thinking.effort == "none":
        return False
    return bool(thinking.enabled or thinking.effort or thinking.budget)


def thinking_config(thinking: Thinking | None, model: Generation | None) -> dict[str, Any] | None:
    """`thinkingConfig`, in the words of the generation; None where it takes none or nobody asked."""
    if thinking is None or model is None or model.version < BUDGETS_SINCE:
        return None
    effort = None if thinking.effort is None else thinking.effort.lower()
    off = thinking.enabled is False or effort == "none" or thinking.budget == 0
    if model.version < LEVELS_SINCE:
        return {"thinkingBudget": _budget(effort, thinking.budget, off, model.kind), "includeThoughts": not off}
    level = _level(effort, thinking.budget, off, model)
    return {**({"thinkingLevel": level} if level else {}), "includeThoughts": not off}


def _budget(effort: str | None, budget: int | None, off: bool, kind: str) -> int:
    least, most = _RANGES.get(kind, _RANGE)
    if off:
        return least if kind == "pro" else 0
    if budget is None:
        budget = _DYNAMIC if effort is None else _BUDGETS.get(effort, most)
    return budget if budget == _DYNAMIC else min(max(budget, least), most)


def _level(effort: str | None, budget: int | None, off: bool, model: Generation) -> str | None:
    """A model of the kind `pro` cannot think minimally, and the first one knew two levels only."""
    if off:
        effort = "minimal"
    elif effort is None and budget is not None and budget >= 0:
        effort = next((word for most, word in _WORDS if budget <= most), "high")
    if effort is None:
        return None
    level = effort if effort in _BUDGETS else "high"
    if model.kind == "pro" and level == "minimal":
        return "low"
    if model.kind == "pro" and level == "medium" and model.version < _MIDDLE_SINCE:
        return "high"
    return level
