"""The golden streams of upstreams that speak chat completions, each in its own way: what differs, and no more.

They are written after each vendor's documentation and after servers that were looked at; see `canned` for the rest.
"""

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from gateway.testing.canned import Canned, Said

_DONE = b"data: [DONE]\n\n"
_TOKENS = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}


def _event(*choices: Mapping[str, Any], head: str = '"id":"c1","object":"chat.completion.chunk"', **more: Any) -> bytes:
    rest = json.dumps({"created": 1, "model": "m", "choices": choices, **more}, separators=(",", ":"))
    return b"data: {" + head.encode() + b"," + rest[1:].encode() + b"\n\n"


def _choice(
    finish: str | None = None, /, more: Mapping[str, Any] = MappingProxyType({}), **delta: Any
) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "finish_reason": finish, **more}


def _said(*writes: bytes, **says: Any) -> Canned:
    return Canned(writes=writes, says=Said(**{"text": "Hello!", "tokens": (11, 7), **says}))


def _call(**fields: Any) -> dict[str, Any]:
    function = {"name": "get_weather", "arguments": '{"city": "Rome"}'}
    return {"tool_calls": [{"id": "call_1", "function": function, **fields}]}


def _azure() -> Canned:
    """What the filter says of the prompt comes first, with no choice; what it says of the answer, with every delta."""
    checked = {"content_filter_results": {"hate": {"filtered": False, "severity": "safe"}}}
    prompt = [{"prompt_index": 0, **checked}]
    return _said(
        _event(head='"id":"","object":""', prompt_filter_results=prompt),
        _event(_choice(role="assistant", content="", refusal=None, more={"content_filter_results": {}})),
        _event(_choice(content="Hello", more=checked)),
        _event(_choice(content="!", more=checked)),
        _event(_choice("stop", more={"content_filter_results": {}})),
        _event({"index": 0, "finish_reason": None, "content_filter_offsets": {"check_offset": 1}, **checked}),
        _event(usage=_TOKENS),
        _DONE,
    )


def _openrouter() -> Canned:
    """Comments while it waits; thinking twice, plain and in details; usage beside an empty delta."""
    native = {"native_finish_reason": "completed"}
    details = [{"type": "reasoning.text", "text": "Hm.", "format": "anthropic-claude-v1", "index": 0}]
    return _said(
        b": OPENROUTER PROCESSING\n\n",
        b": OPENROUTER PROCESSING\n\n",
        _event(_choice(role="assistant", content="", reasoning="Hm.", reasoning_details=details), provider="X"),
        _event(_choice(role="assistant", content="Hello!"), provider="X"),
        _event(_choice("stop", role="assistant", content="", more=native), provider="X"),
        _event(_choice(role="assistant", content=""), provider="X", usage={**_TOKENS, "cost": 0.1}),
        _DONE,
        reasoning="Hm.",
    )


def _groq() -> Canned:
    """Its own corner holds the request's id at first, and the usage in the end."""
    return _said(
        _event(_choice(role="assistant", content="", channel="analysis"), x_groq={"id": "req_1", "seed": 1}),
        _event(_choice(reasoning="Hm.")),
        _event(_choice(content="Hello!")),
        _event(_choice("stop"), x_groq={"id": "req_1", "usage": {**_TOKENS, "queue_time": 0.1}}),
        _DONE,
        reasoning="Hm.",
    )


def _deepseek() -> Canned:
    """Thinking beside a null content, and the other way round; usage with the finish reason."""
    cached = {**_TOKENS, "prompt_cache_hit_tokens": 4, "prompt_cache_miss_tokens": 7}
    return _said(
        _event(_choice(role="assistant", content=None, reasoning_content="")),
        _event(_choice(content=None, reasoning_content="Hm.")),
        _event(_choice(content="Hello!", reasoning_content=None)),
        _event(_choice("stop", content="", reasoning_content=None), usage=cached),
        _DONE,
        reasoning="Hm.",
    )


def _mistral() -> Canned:
    """Contents that are lists of parts."""
    thinking = [{"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]}]
    return _said(
        _event(_choice(role="assistant", content="")),
        _event(_choice(content=thinking), p="abcd"),
        _event(_choice(content=[{"type": "text", "text": "Hel"}])),
        _event(_choice(content="lo!")),
        _event(_choice("stop", content=""), usage=_TOKENS),
        _DONE,
        reasoning="Hm.",
    )


def _mistral_tools() -> Canned:
    """Calls that come whole, without a type, in the last chunk."""
    return _said(
        _event(_choice(role="assistant", content="")),
        _event(_choice("tool_calls", content="", **_call(index=0)), usage=_TOKENS),
        _DONE,
        text="",
        tools=(("get_weather", '{"city": "Rome"}'),),
        finish="tool_calls",
    )


def _perplexity() -> Canned:
    """The whole message beside each delta, usage in every chunk, sources on top."""
    found: dict[str, Any] = {
        "citations": ["https://a.example"],
        "search_results": [{"title": "A", "url": "https://a.example"}],
    }
    first = {"message": {"role": "assistant", "content": "Hel"}}
    whole = {"message": {"role": "assistant", "content": "Hello!"}}
    early = {"prompt_tokens": 11, "completion_tokens": 1, "total_tokens": 12}
    return _said(
        _event(_choice(role="assistant", content="Hel", more=first), usage=early, **found),
        _event(_choice(content="lo!", more=whole), usage=_TOKENS, **found),
        _event(_choice("stop", content="", more=whole), usage={**_TOKENS, "cost": {"total_cost": 0.1}}, **found),
    )


def _together() -> Canned:
    """Each text twice, as a delta and as completions of old had it."""
    return _said(
        _event(_choice(role="assistant", content="Hel", token_id=1, more={"text": "Hel", "logprobs": None})),
        _event(_choice(role="assistant", content="lo!", token_id=2, more={"text": "lo!", "logprobs": None})),
        _event(_choice("eos", role="assistant", content="", token_id=3, more={"text": "", "seed": 1}), usage=_TOKENS),
        _DONE,
    )


def _fireworks() -> Canned:
    """Usage in the last chunk of content, which also has the finish reason."""
    return _said(
        _event(_choice(role="assistant")),
        _event(_choice(content="Hello")),
        _event(_choice("stop", content="!"), usage=_TOKENS),
        _DONE,
    )


def _vllm() -> Canned:
    """Thinking is `reasoning` now; the stop is told twice."""
    stopped = {"stop_reason": None, "token_ids": None}
    return _said(
        _event(_choice(role="assistant", content="", more={"logprobs": None}), prompt_token_ids=None),
        _event(_choice(reasoning="Hm.", reasoning_content="Hm.")),
        _event(_choice(content="Hello!")),
        _event(_choice("stop", content="", more=stopped)),
        _event(usage={**_TOKENS, "prompt_tokens_details": None}),
        _DONE,
        reasoning="Hm.",
    )


def _sglang() -> Canned:
    """Every field every time, most of them null."""
    empty: dict[str, Any] = {"role": None, "reasoning_content": None, "tool_calls": None}
    return _said(
        _event(_choice(**{**empty, "role": "assistant"}, content=""), usage=None),
        _event(_choice(**{**empty, "reasoning_content": "Hm."}, content=None), usage=None),
        _event(_choice(**empty, content="Hello!", more={"matched_stop": None}), usage=None),
        _event(_choice("stop", **empty, content=None, more={"matched_stop": 2}), usage=None),
        _event(usage=_TOKENS),
        _DONE,
        reasoning="Hm.",
    )


def _llamacpp() -> Canned:
    """A null content first; timings beside the usage."""
    return _said(
        _event(_choice(role="assistant", content=None), system_fingerprint="b1"),
        _event(_choice(content="Hello!")),
        _event(_choice("stop")),
        _event(usage=_TOKENS, timings={"prompt_n": 11, "predicted_per_second": 50.5}),
        _DONE,
    )


def _transformers() -> Canned:
    """No [DONE]; the finish reason is absent until there is one, and usage comes with it."""
    head = '"id":"req_0","object":"chat.completion.chunk"'

    def piece(*choices: Mapping[str, Any], **more: Any) -> bytes:
        return _event(*choices, head=head, system_fingerprint="", **more).replace(b'"model":"m"', b'"model":"m@main"')

    return _said(
        piece({"index": 0, "delta": {"role": "assistant"}}),
        piece({"index": 0, "delta": {"content": "Hello!"}}),
        piece({"index": 0, "delta": {}, "finish_reason": "stop"}, usage=_TOKENS),
    )


def _litellm() -> Canned:
    """Calls under null contents, and fields of its own."""
    own: dict[str, Any] = {"provider_specific_fields": None, "annotations": []}
    return _said(
        _event(_choice(role="assistant", content=None, **own, **_call(index=0, type="function"))),
        _event(_choice("tool_calls", **own), citations=None),
        _event(_choice(**own), usage=_TOKENS),
        _DONE,
        text="",
        tools=(("get_weather", '{"city": "Rome"}'),),
        finish="tool_calls",
    )


def _split_halves() -> Canned:
    """Emoji cut between UTF-16 units, in thinking and in text, by a server that counts as JavaScript does."""
    halves = [b"\\ud83c", b"\\udf89"]
    writes = [
        b'data: {"id":"c1","model":"m","choices":[{"index":0,"delta":{"%s":"%s"},"finish_reason":null}]}\n\n'
        % (field, half)
        for field in (b"reasoning_content", b"content")
        for half in halves
    ]
    party = "\N{PARTY POPPER}"
    return _said(*writes, _event(_choice("stop"), usage=_TOKENS), _DONE, text=party, reasoning=party)


VENDORS: Mapping[str, Canned] = MappingProxyType(
    {
        "azure": _azure(),
        "openrouter": _openrouter(),
        "groq": _groq(),
        "deepseek": _deepseek(),
        "mistral": _mistral(),
        "mistral_tools": _mistral_tools(),
        "perplexity": _perplexity(),
        "together": _together(),
        "fireworks": _fireworks(),
        "vllm": _vllm(),
        "sglang": _sglang(),
        "llamacpp": _llamacpp(),
        "transformers": _transformers(),
        "litellm": _litellm(),
        "split_halves": _split_halves(),
    }
)
"""What chat upstreams answer, by vendor."""
