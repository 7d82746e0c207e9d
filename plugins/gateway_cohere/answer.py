"""Reads a whole answer of Cohere."""

from collections.abc import Mapping
from typing import Any

from gateway import End, Event, Failure, Reasoning, Start, Text, ToolCall
from gateway.wire.json import decode_said
from gateway.wire.upstream import ERRORS, object_in
from gateway_cohere.saying import citations_of, ending, failure_of, usage_of, words


def read_answer(body: bytes, status: int) -> list[Event]:
    """The answer as events up to its `End`; anything else is one `Failure` that carries the body."""
    try:
        said = decode_said(body)
    except ValueError:
        said = {}
    message = object_in(said, "message")
    if status not in ERRORS and message:
        return _answer(said, message)
    if said.get("message") or said.get("error"):
        return [failure_of(said, status=status)]
    return [
        Failure(
            code="upstream_protocol",
            message="The upstream's answer is neither a stream nor an answer of Cohere.",
            status=status if status in ERRORS else 502,
            native=body,
        )
    ]


def _answer(said: Mapping[str, Any], message: Mapping[str, Any]) -> list[Event]:
    finish = ending(said)
    if isinstance(finish, Failure):
        return [finish]
    parts: list[Event] = []
    text: int | None = None
    if plan := words(message, "tool_plan"):
        parts.append(Reasoning(text=plan, part=0))
    for block in _objects(message, "content"):
        if thought := words(block, "thinking"):
            parts.append(Reasoning(text=thought, part=len(parts)))
        elif told := words(block, "text"):
            text = len(parts)
            parts.append(Text(text=told, part=text))
    for call in _objects(message, "tool_calls"):
        function = object_in(call, "function")
        arguments = words(function, "arguments") or "{}"
        name = words(function, "name") or ""
        parts.append(ToolCall(part=len(parts), id=words(call, "id"), name=name, arguments=arguments))
    cited = [event for native in _objects(message, "citations") for event in citations_of(native, text)]
    usage = object_in(said, "usage")
    return [
        Start(id=words(said, "id")),
        *parts,
        *cited,
        *([usage_of(usage)] if usage else []),
        *([finish] if finish is not None else []),
        End(),
    ]


def _objects(said: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    value = said.get(name)
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
