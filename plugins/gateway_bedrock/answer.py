"""Reads a whole answer of Converse."""

from collections.abc import Mapping
from typing import Any

from gateway import End, Event, Failure, Reasoning, Text, ToolCall
from gateway.wire.json import decode_said, encode_value
from gateway.wire.upstream import ERRORS, object_in
from gateway_bedrock.saying import citation_of, failure_of, finish_of, usage_of, words


def read_answer(body: bytes, status: int) -> list[Event]:
    """The answer as events up to its `End`; anything else is one `Failure` that carries the body."""
    try:
        said = decode_said(body)
    except ValueError:
        said = {}
    content = object_in(object_in(said, "output"), "message").get("content")
    if status not in ERRORS and isinstance(content, list):
        return _answer(said, content)
    if words(said, "message") or words(said, "__type"):
        kind = (words(said, "__type") or "").rpartition("#")[2]
        return [failure_of(kind or None, said, status=status)]
    return [
        Failure(
            code="upstream_protocol",
            message="The upstream's answer is neither a stream nor an answer of Converse.",
            status=status if status in ERRORS else 502,
            native=body,
        )
    ]


def _answer(said: Mapping[str, Any], content: list[Any]) -> list[Event]:
    events = [event for part, block in enumerate(content) if isinstance(block, dict) for event in _block(part, block)]
    if usage := object_in(said, "usage"):
        events.append(usage_of(usage))
    finish = finish_of(said)
    return [*events, *([finish] if finish is not None else []), End()]


def _block(part: int, block: Mapping[str, Any]) -> list[Event]:
    if text := words(block, "text"):
        return [Text(text=text, part=part)]
    if (call := object_in(block, "toolUse")) and call.get("type") is None:
        arguments = bytes(encode_value(object_in(call, "input"))).decode()
        return [ToolCall(part=part, id=words(call, "toolUseId"), name=words(call, "name") or "", arguments=arguments)]
    if thought := object_in(block, "reasoningContent"):
        if redacted := words(thought, "redactedContent"):
            return [Reasoning(part=part, redacted=redacted)]
        told = object_in(thought, "reasoningText")
        text, signature = words(told, "text") or "", words(told, "signature") or None
        return [Reasoning(text=text, part=part, signature=signature)] if text or signature else []
    if cited := object_in(block, "citationsContent"):
        pieces = [words(piece, "text") or "" for piece in cited.get("content") or () if isinstance(piece, dict)]
        text = "".join(pieces)
        sources = [source for source in cited.get("citations") or () if isinstance(source, dict)]
        return [*([Text(text=text, part=part)] if text else []), *(citation_of(source, part) for source in sources)]
    return []
