"""Writes the body of `/v2/chat` from a prompt."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from gateway import ChatRequest, Model, Prompt, ResponseFormat, Thinking
from gateway.wire.fields import asked_model, told
from gateway.wire.meaning import lost_words, refuse_other_meaning
from gateway.wire.tools import functions
from gateway_cohere.messages import write_messages

_Json = dict[str, Any]
_OWN: Final = frozenset(
    (
        *("citation_options", "documents", "frequency_penalty", "k", "logprobs", "p", "presence_penalty", "priority"),
        *("raw_prompting", "safety_mode", "strict_tools", "thinking"),
    )
)
"""Cohere's words, taken from the requests of any client."""
_HOTTEST: Final = 1.0
_ANYTHING: Final = {"type": "object", "properties": {}}
_BUDGETS: Final[Mapping[str, int]] = MappingProxyType({"minimal": 512, "low": 2048, "medium": 8192})
"""Tokens to think with for a word; above, the model thinks as long as it likes."""


def write_request(request: ChatRequest, model: Model) -> bytes:
    """The body to send: what the prompt says, the model's parameters behind it, less what its quirks leave out.

    Raises `InvalidRequest` for what cannot be said without another meaning.
    """
    prompt = request.prompt
    said = {"model": asked_model(request, model), **_said(prompt), "stream": request.stream}
    request.lose(_lost(prompt))
    return told(said, model.parameters, model.quirks, request=request)


def _said(prompt: Prompt) -> _Json:
    refuse_other_meaning(prompt)
    choice = prompt.tool_choice
    own = {name: value for name, value in prompt.extra.items() if name in _OWN and not _is_foreign(name, value)}
    said: _Json = {
        "messages": write_messages(prompt.system, prompt.messages),
        "tools": _tools(prompt) or None,
        "max_tokens": prompt.max_tokens,
        "temperature": None if prompt.temperature is None else min(prompt.temperature, _HOTTEST),
        "p": prompt.top_p,
        "k": prompt.extra.get("top_k"),
        "stop_sequences": list(prompt.stop) or None,
        "seed": prompt.seed,
        "response_format": _format(prompt.response_format),
        "thinking": _thinking(prompt.reasoning),
    }
    if choice is not None and prompt.tools:
        said["tool_choice"] = {"none": "NONE", "required": "REQUIRED", "tool": "REQUIRED"}.get(choice.mode)
    return {name: value for name, value in {**said, **own}.items() if value is not None}


def _tools(prompt: Prompt) -> list[_Json]:
    """The tools that may be called; of one that must be, nothing but that one is told."""
    choice = prompt.tool_choice
    only = () if choice is None else (choice.tool,) if choice.mode == "tool" else choice.only
    out: list[_Json] = []
    for tool in functions(prompt, only):
        schema = tool.parameters if tool.parameters is not None else _ANYTHING
        described = {"description": tool.description} if tool.description is not None else {}
        out.append({"type": "function", "function": {"name": tool.name, **described, "parameters": schema}})
    return out


def _format(form: ResponseFormat | None) -> _Json | None:
    if form is None or form.kind == "text":
        return None
    return {"type": "json_object", **({"json_schema": form.schema} if form.kind == "schema" else {})}


def _thinking(thinking: Thinking | None) -> _Json | None:
    if thinking is None:
        return None
    if thinking.enabled is False or thinking.effort == "none":
        return {"type": "disabled"}
    if not (thinking.enabled or thinking.effort or thinking.budget):
        return None
    budget = thinking.budget or _BUDGETS.get(thinking.effort or "")
    return {"type": "enabled", **({"token_budget": budget} if budget is not None else {})}


def _is_foreign(name: str, value: Any) -> bool:
    """Words that other dialects have with another meaning."""
    return (
        name == "thinking" and isinstance(value, dict) and ("budget_tokens" in value or value.get("type") == "adaptive")
    )


def _lost(prompt: Prompt) -> list[str]:
    """The names of what has no place."""
    lost = lost_words(prompt, _OWN | {"top_k"})
    if prompt.parallel_tools is False:
        lost.append("parallel_tools")
    if prompt.temperature is not None and prompt.temperature > _HOTTEST:
        lost.append("temperature")
    return lost
