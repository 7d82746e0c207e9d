"""How much a model shall think, in the words of its maker: Converse has none of its own for all."""

from typing import Any, Final

from gateway import Prompt, Thinking
from gateway.wire.messages.generations import (
    ADAPTIVE_SINCE,
    BUDGETS,
    BUDGETS_UNTIL,
    LEAST_BUDGET,
    effort_of,
    generation,
)

_Json = dict[str, Any]
_EFFORTS: Final = {"minimal": "low"}
_DEFAULT_LIMIT: Final = 4096
"""What an answer may have beside the thinking where nobody gave a limit."""


def thinks(thinking: Thinking | None) -> bool:
    """Whether the client asks for thinking."""
    if thinking is None or thinking.enabled is False or thinking.effort == "none":
        return False
    return bool(thinking.enabled or thinking.effort or thinking.budget)


def said_thinking(prompt: Prompt, model_id: str) -> tuple[_Json, _Json]:
    """What goes into `additionalModelRequestFields`, and into `outputConfig`."""
    thinking = prompt.reasoning
    if thinking is None:
        return {}, {}
    version = generation(model_id)
    if version is not None:
        return _claude(thinking, version, prompt.max_tokens)
    if "nova-2" in model_id:
        return {"reasoningConfig": _nova(thinking)}, {}
    if "gpt-oss" in model_id and thinks(thinking):
        return {"reasoning_effort": _effort(thinking)}, {}
    return {}, {}


def limit(prompt: Prompt, additional: _Json) -> int | None:
    """`maxTokens`: what Claude thinks with a budget is part of it."""
    budget = additional.get("thinking", {}).get("budget_tokens")
    if prompt.max_tokens is not None or budget is None:
        return prompt.max_tokens
    return int(budget) + _DEFAULT_LIMIT


def _claude(thinking: Thinking, version: tuple[int, int], most: int | None) -> tuple[_Json, _Json]:
    if not thinks(thinking):
        return ({}, {"effort": "low"}) if version >= BUDGETS_UNTIL else ({}, {})
    if version >= BUDGETS_UNTIL or (version >= ADAPTIVE_SINCE and thinking.budget is None):
        effort = _effort(thinking) if thinking.effort or thinking.budget else None
        return {"thinking": {"type": "adaptive"}}, {"effort": effort} if effort else {}
    budget = thinking.budget or BUDGETS.get(_effort(thinking), BUDGETS["medium"])
    if most is not None and budget >= most:
        budget = most // 2
    return ({"thinking": {"type": "enabled", "budget_tokens": budget}} if budget >= LEAST_BUDGET else {}), {}


def _nova(thinking: Thinking) -> _Json:
    if not thinks(thinking):
        return {"type": "disabled"}
    effort = _effort(thinking)
    return {"type": "enabled", "maxReasoningEffort": effort if effort in ("low", "medium") else "high"}


def _effort(thinking: Thinking) -> str:
    if thinking.effort is not None:
        return _EFFORTS.get(thinking.effort, thinking.effort)
    return "medium" if thinking.budget is None else effort_of(thinking.budget)
