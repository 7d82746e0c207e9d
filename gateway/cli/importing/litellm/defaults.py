"""What a request says when its client does not, in the words of whoever is asked."""

from collections.abc import Mapping
from typing import Any, Final

_SAME: Final = ("temperature", "seed", "presence_penalty", "frequency_penalty")
_LIMIT: Final = ("max_tokens", "max_completion_tokens")
_GEMINI: Final = {
    "temperature": "temperature",
    "top_p": "topP",
    "top_k": "topK",
    "n": "candidateCount",
    "stop": "stopSequences",
    "seed": "seed",
    "presence_penalty": "presencePenalty",
    "frequency_penalty": "frequencyPenalty",
    "safety_settings": "safetySettings",
    **dict.fromkeys(_LIMIT, "maxOutputTokens"),
}
_WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "anthropic": {
        **{name: name for name in ("temperature", "top_p", "top_k", "thinking")},
        **dict.fromkeys(_LIMIT, "max_tokens"),
        "stop": "stop_sequences",
    },
    "bedrock": {
        "temperature": "inferenceConfig.temperature",
        "top_p": "inferenceConfig.topP",
        "stop": "inferenceConfig.stopSequences",
        **dict.fromkeys(_LIMIT, "inferenceConfig.maxTokens"),
    },
    "cohere": {
        **{name: name for name in _SAME},
        **dict.fromkeys(_LIMIT, "max_tokens"),
        "top_p": "p",
        "top_k": "k",
        "stop": "stop_sequences",
    },
    "gemini": _GEMINI,
    "ollama": {
        **{name: name for name in (*_SAME, "top_p", "top_k", "min_p", "stop", "logprobs", "top_logprobs")},
        **{name: name for name in ("num_ctx", "num_predict", "num_gpu", "num_thread", "mirostat", "keep_alive")},
        **dict.fromkeys(_LIMIT, "num_predict"),
        "repetition_penalty": "repeat_penalty",
        "format": "format",
    },
}
"""OpenAI's words in those of dialects that have their own; a point leads into an object."""
PAGES: Final = frozenset(_WORDS)
"""The dialects, each of which has a page of documentation."""


def dialect(provider: str, model: str) -> str:
    """Whose words a model's parameters are in; empty for OpenAI's."""
    if provider == "vertex":
        return "anthropic" if "claude" in model else "gemini"
    return provider if provider in _WORDS else ""


def word(dialect: str, name: str) -> str | None:
    """What OpenAI's `name` is called there; None where it has no name that means the same."""
    return _WORDS[dialect].get(name) if dialect else name


def put(parameters: Mapping[str, Any], word: str, value: Any) -> dict[str, Any]:
    """The parameters with this one, where its word leads."""
    if word.endswith(("stop_sequences", "stopSequences")) and isinstance(value, str):
        value = [value]
    outer, point, inner = word.partition(".")
    if not point:
        return {**parameters, word: value}
    there = parameters.get(outer)
    return {**parameters, outer: {**(there if isinstance(there, dict) else {}), inner: value}}
