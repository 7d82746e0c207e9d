"""Usage, sources, proofs and the response object as responses say them: what a stream and a whole answer share."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import msgspec

from gateway.events import Citation, Finish, FinishReason, Usage
from gateway.requests import ChatRequest
from gateway.wire.marks import marked

Json = dict[str, Any]
_ANNOTATIONS: Final = frozenset(("url_citation", "file_citation", "container_file_citation", "file_path"))
_INCOMPLETE: Final[Mapping[FinishReason, str]] = MappingProxyType(
    {"length": "max_output_tokens", "content_filter": "content_filter", "refusal": "content_filter"}
)
_SAID_AGAIN: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "instructions": None,
        "max_output_tokens": None,
        "metadata": {},
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None},
        "temperature": 1.0,
        "text": {"format": {"type": "text"}},
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "truncation": "disabled",
        "user": None,
    }
)
"""What a response repeats of its request, and what it says where that said nothing."""
_REDACTED: Final = "redacted:"


def begun(request: ChatRequest, *, id: str, created: int) -> Json:
    """A response that has begun. Nobody keeps it: it cannot be asked for."""
    asked = request.fields if request.dialect == "responses" else {}
    said = {name: _said(asked.get(name), default) for name, default in _SAID_AGAIN.items()}
    return {
        "id": id,
        "object": "response",
        "created_at": created,
        "status": "in_progress",
        "background": False,
        "error": None,
        "incomplete_details": None,
        "model": request.model,
        "output": [],
        **said,
        "store": False,
        "usage": None,
    }


def ended(finish: Finish | None, *, refused: bool) -> Json:
    """The status of a response that ended properly."""
    reason = _INCOMPLETE.get(finish.reason) if finish is not None else None
    if reason is None or (refused and finish is not None and finish.reason == "refusal"):
        return {"status": "completed", "incomplete_details": None}
    return {"status": "incomplete", "incomplete_details": {"reason": reason}}


def tokens(usage: Usage | None, *, own: bool) -> Mapping[str, Any] | None:
    """Usage as responses count it; None where nobody reported any. Its numbers are all required there."""
    if usage is None:
        return None
    if own and isinstance(usage.native, dict):
        return usage.native
    given, made = usage.input or 0, usage.output or 0
    return {
        "input_tokens": given,
        "input_tokens_details": {"cached_tokens": usage.cache_read or 0, "cache_write_tokens": usage.cache_write or 0},
        "output_tokens": made,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning or 0},
        "total_tokens": given + made,
    }


def annotation(citation: Citation, length: int) -> Mapping[str, Any] | None:
    """A source of a text of that length: its own shape, or that of a page; None where there is no place for it."""
    native = citation.native
    if isinstance(native, dict) and native.get("type") in _ANNOTATIONS and "url_citation" not in native:
        return native
    if citation.url is None:
        return None
    return {
        "type": "url_citation",
        "url": citation.url,
        "title": citation.title or "",
        "start_index": citation.start or 0,
        "end_index": length if citation.end is None else citation.end,
    }


def proof(signature: str | None, redacted: str | None, maker: str) -> str:
    """`encrypted_content`: what the maker of a thinking wants to see again, marked where that is another upstream."""
    said = redacted if redacted is not None else signature
    if redacted is not None and maker != "responses":
        said = _REDACTED + redacted
    return marked(said, maker, "responses")


def is_redacted(said: str) -> tuple[str, bool]:
    """Another maker's proof, and whether it stood in the place of the thinking itself."""
    return said.removeprefix(_REDACTED), said.startswith(_REDACTED)


def logprobs_of(said: Any) -> list[Any]:
    """Log probabilities of a text's tokens; chat completions have them in an object."""
    content = said.get("content") if isinstance(said, dict) else said
    return content if isinstance(content, list) else []


def _said(given: msgspec.Raw | None, default: Any) -> Any:
    return default if given is None or bytes(given) == b"null" else given
