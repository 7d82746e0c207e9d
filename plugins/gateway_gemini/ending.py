"""How a Gemini answer ends, and what it took: finish reasons, blocked prompts, tokens."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from gateway.events import Event, Failure, Finish, FinishReason, Frame, Usage
from gateway.wire.unicode import well_formed
from gateway.wire.upstream import count_of

REASONS: Final[Mapping[str, FinishReason]] = MappingProxyType(
    {
        "STOP": "stop",
        "MAX_TOKENS": "length",
        "FUNCTION_CALL": "tool_calls",  # never Google's, who says STOP; servers that speak as Google does say it
        **dict.fromkeys(
            (
                "BLOCKLIST",
                "ESCALATION",
                "IMAGE_PROHIBITED_CONTENT",
                "IMAGE_RECITATION",
                "IMAGE_SAFETY",
                "LANGUAGE",
                "MODEL_ARMOR",
                "PROHIBITED_CONTENT",
                "RECITATION",
                "SAFETY",
                "SPII",
            ),
            "content_filter",
        ),
    }
)
"""All others are `other`, but for those that are failures."""
BROKEN: Final[Mapping[str, str]] = MappingProxyType(
    {
        "MALFORMED_FUNCTION_CALL": "The model wrote a function call that cannot be read.",
        "MALFORMED_RESPONSE": "The model wrote an answer that cannot be read.",
        "MISSING_THOUGHT_SIGNATURE": "The request lacks a thought signature of an earlier answer.",
        "TOO_MANY_TOOL_CALLS": "The model called too many tools in a row.",
        "UNEXPECTED_TOOL_CALL": "The model called a tool that it was not given.",
    }
)
"""Reasons with which an answer is none: no other dialect has a word for them that does not look like a proper end."""
_CLIENTS: Final = frozenset(("MISSING_THOUGHT_SIGNATURE",))


def finish_of(native: str, message: str | None, *, choice: int, called: bool, source: Frame | None) -> Event:
    """How one choice ended; a plain stop after a call means the call."""
    native = well_formed(native)
    if native in BROKEN:
        said = f"{BROKEN[native]} {well_formed(message)}" if message else BROKEN[native]
        ours = native not in _CLIENTS
        return Failure(
            code=native.lower(), message=said, status=502 if ours else 400, retryable=ours, source=source
        )  # the same request often goes well when it is made again
    reason = REASONS.get(native, "other")
    if reason == "stop" and called:
        reason = "tool_calls"
    return Finish(reason=reason, choice=choice, native=native, source=source)


def blocked(feedback: Any, source: Frame | None) -> Finish | None:
    """The end of an answer that never began because the prompt was refused."""
    reason = feedback.get("blockReason") if isinstance(feedback, dict) else None
    if not isinstance(reason, str) or not reason:
        return None
    return Finish(reason="content_filter", native=well_formed(reason), source=source)


def usage_of(native: Mapping[str, Any], source: Frame | None) -> Usage:
    """Tokens as Gemini counts them: thinking is apart from the answer, and what is zero is left out."""
    prompt, tools = count_of(native.get("promptTokenCount")), count_of(native.get("toolUsePromptTokenCount"))
    said, thought = count_of(native.get("candidatesTokenCount")), count_of(native.get("thoughtsTokenCount"))
    total = count_of(native.get("totalTokenCount"))
    taken = None if prompt is None else prompt + (tools or 0)
    given = None if said is None and thought is None else (said or 0) + (thought or 0)
    if given is None and taken is not None and total is not None:
        given = max(0, total - taken)
    return Usage(
        input=taken,
        output=given,
        cache_read=count_of(native.get("cachedContentTokenCount")),
        reasoning=thought,
        native=native,
        source=source,
    )
