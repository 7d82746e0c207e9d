"""Writes the body of `/api/chat` from a prompt."""

from collections.abc import Mapping
from typing import Any, Final

from gateway import ChatRequest, Model, Prompt, Thinking
from gateway.wire.fields import asked_model, told
from gateway.wire.meaning import lost_words, refuse_other_meaning
from gateway.wire.tools import functions
from gateway_ollama.messages import write_messages

_Json = dict[str, Any]
_OPTIONS: Final = frozenset(
    (
        *("frequency_penalty", "min_p", "mirostat", "mirostat_eta", "mirostat_tau", "num_batch", "num_ctx", "num_gpu"),
        *("num_keep", "num_predict", "num_thread", "presence_penalty", "repeat_last_n", "repeat_penalty", "seed"),
        *("stop", "temperature", "top_k", "top_p", "typical_p", "use_mmap"),
    )
)
"""Words that Ollama wants inside `options`, from the requests of any client and from a model's parameters."""
_OWN: Final = frozenset(("format", "keep_alive", "logprobs", "options", "think", "top_logprobs", "truncate"))
"""Its other words, taken as they are."""
_LEVELS: Final = {"minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "high", "max": "high"}


def write_request(request: ChatRequest, model: Model) -> bytes:
    """The body to send: what the prompt says, the model's parameters behind it, less what its quirks leave out.

    Raises `InvalidRequest` for what cannot be said without another meaning.
    """
    prompt = request.prompt
    said = {"model": asked_model(request, model), **_said(prompt), "stream": request.stream}
    request.lose(_lost(prompt))
    return told(said, _nested(model.parameters), model.quirks, inner="options", request=request)


def _said(prompt: Prompt) -> _Json:
    refuse_other_meaning(prompt)
    form = prompt.response_format
    options: _Json = {
        "temperature": prompt.temperature,
        "top_p": prompt.top_p,
        "num_predict": prompt.max_tokens,
        "stop": list(prompt.stop) or None,
        "seed": prompt.seed,
    }
    given = {name: value for name, value in options.items() if value is not None}
    said: _Json = {
        "messages": write_messages(prompt.system, prompt.messages),
        "tools": _tools(prompt) or None,
        "format": None if form is None else {"json": "json", "schema": form.schema}.get(form.kind),
        "think": _think(prompt.reasoning),
    }
    extra = _nested({name: value for name, value in prompt.extra.items() if name in _OPTIONS | _OWN})
    options = {**given, **(extra.pop("options", None) or {})}
    if options:
        said["options"] = options
    return {name: value for name, value in {**said, **extra}.items() if value is not None}


def _nested(words: Mapping[str, Any]) -> _Json:
    """The words with those that are options inside `options`."""
    inside = {name: value for name, value in words.items() if name in _OPTIONS and value is not None}
    outside = {name: value for name, value in words.items() if name not in _OPTIONS}
    own = outside.get("options")
    if inside or own is not None:
        outside["options"] = {**inside, **(own if isinstance(own, dict) else {})}
    return outside


def _tools(prompt: Prompt) -> list[_Json]:
    choice = prompt.tool_choice
    if choice is not None and choice.mode == "none":
        return []
    only = () if choice is None else (choice.tool,) if choice.mode == "tool" else choice.only
    out: list[_Json] = []
    for tool in functions(prompt, only):
        said = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
        known = {name: value for name, value in said.items() if value is not None}
        out.append({"type": "function", "function": known})
    return out


def _think(thinking: Thinking | None) -> bool | str | None:
    """Yes, no, or how much; a model that does not think refuses all but no."""
    if thinking is None:
        return None
    if thinking.enabled is False or thinking.effort == "none":
        return False
    if thinking.effort is not None:
        return _LEVELS.get(thinking.effort, True)
    return True if thinking.enabled or thinking.budget is not None else None


def _lost(prompt: Prompt) -> list[str]:
    """The names of what has no place."""
    choice = prompt.tool_choice
    lost = lost_words(prompt, _OPTIONS | _OWN | {"thinking"})
    if choice is not None and choice.mode in ("required", "tool"):
        lost.append("tool_choice")
    if prompt.parallel_tools is False:
        lost.append("parallel_tools")
    return lost
