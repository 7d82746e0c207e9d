"""What a foreign upstream cannot be asked: refused where another thing would be meant, else named and left out."""

from collections.abc import Set
from typing import Final

from gateway.errors import InvalidRequest
from gateway.prompt import OpaquePart, OpaqueTool, Prompt, ToolResultPart

_NOT_MISSED: Final = frozenset(("modalities", "n", "previous_response_id", "store", "stream_options"))
"""What has been seen to, or is nobody's business but the gateway's."""


def refuse_other_meaning(prompt: Prompt) -> None:
    """Raises `InvalidRequest` for several answers, sound as an answer, and memory of earlier answers."""
    if prompt.n not in (None, 1):
        raise InvalidRequest("The model of this request gives one answer: 'n' must be 1.", param="n")
    if "audio" in (prompt.extra.get("modalities") or ()):
        raise InvalidRequest("The model of this request does not answer with sound.", param="modalities")
    if prompt.extra.get("previous_response_id") is not None:
        raise InvalidRequest("The model of this request remembers no answers.", param="previous_response_id")


def lost_words(prompt: Prompt, known: Set[str]) -> list[str]:
    """The names of what was said besides and is not `known`, and of what only another maker can read.

    `is_error`, whether a tool failed, is among the known where it can be told.
    """
    lost = [name for name, value in prompt.extra.items() if value is not None and name not in known | _NOT_MISSED]
    results = [part for m in prompt.messages for part in m.parts if isinstance(part, ToolResultPart)]
    said = [prompt.system, *(message.parts for message in prompt.messages), *(result.parts for result in results)]
    if any(isinstance(part, OpaquePart) for parts in said for part in parts):
        lost.append("messages")
    if any(message.name is not None for message in prompt.messages):
        lost.append("name")
    if "is_error" not in known and any(result.is_error for result in results):
        lost.append("is_error")
    if any(isinstance(tool, OpaqueTool) for tool in prompt.tools):
        lost.append("tools")
    return lost
