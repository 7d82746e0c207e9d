"""The parts of an answer: which block an event belongs to, and the whole message that they make."""

from typing import Any, Final, TypeAlias

import msgspec

from gateway.events import Citation, Event, Reasoning, Refusal, Text, ToolCall
from gateway.prompt import Message, Part, ReasoningPart, TextPart, ToolCallPart

_Said: TypeAlias = Text | Reasoning | Refusal | ToolCall | Citation
SAID: Final = (Text, Reasoning, Refusal, ToolCall, Citation)
"""The events that belong to a part."""


class PartNumbers:
    """Tells the part of each event that does not say it: the open one of its kind, else a new one.

    The part mentioned last is open; a tool call stays open and is told by its id, or goes on when it says none.
    """

    __slots__ = ("_calls", "_last", "_next")

    def __init__(self) -> None:
        self._next: dict[int, int] = {}
        self._last: dict[int, tuple[type[Event], int]] = {}
        self._calls: dict[tuple[int, str | None], int] = {}

    def number(self, event: _Said) -> int:
        """The part of this event; parts of one choice are numbered from 0 in the order they appear."""
        choice, kind = event.choice, type(event)
        if kind is Citation:
            kind = Text
        part = event.part
        if part is None:
            part = self._call(event) if isinstance(event, ToolCall) else self._open(choice, kind)
        if part is None:
            part = self._next.get(choice, 0)
        self._next[choice] = max(self._next.get(choice, 0), part + 1)
        self._last[choice] = (kind, part)
        if isinstance(event, ToolCall):
            self._calls[choice, event.id] = self._calls[choice, None] = part
        return part

    def _open(self, choice: int, kind: type[Event]) -> int | None:
        last = self._last.get(choice)
        return last[1] if last is not None and last[0] is kind else None

    def _call(self, event: ToolCall) -> int | None:
        """A fragment without an id goes on with the call before it; one with a name and no id begins a call."""
        if event.id is None and event.name is not None:
            return None
        return self._calls.get((event.choice, event.id))


class Collected:
    """Everything an answer said, part by part: what a client gets that asked for no stream."""

    __slots__ = ("_numbers", "_parts", "citations", "logprobs")

    def __init__(self) -> None:
        self._numbers = PartNumbers()
        self._parts: dict[int, dict[int, list[_Said]]] = {}
        self.citations: dict[int, list[Citation]] = {}
        """By choice, each with its part."""
        self.logprobs: dict[int, list[Any]] = {}
        """By choice, in the upstream's own form, one for each event that had some."""

    def note(self, event: Event) -> None:
        """Take an event into account."""
        if not isinstance(event, SAID):
            return
        part = self._numbers.number(event)
        if isinstance(event, Citation):
            self.citations.setdefault(event.choice, []).append(msgspec.structs.replace(event, part=part))
            return
        self._parts.setdefault(event.choice, {}).setdefault(part, []).append(event)
        if isinstance(event, Text) and event.logprobs is not None:
            self.logprobs.setdefault(event.choice, []).append(event.logprobs)

    @property
    def choices(self) -> tuple[int, ...]:
        """The choices that said something, in order."""
        return tuple(sorted(self._parts))

    def message(self, choice: int = 0, *, maker: str | None = None) -> Message:
        """The whole message of one choice; `maker` is the upstream dialect whose signatures it holds."""
        return Message(role="assistant", parts=tuple(self.parts(choice, maker=maker).values()))

    def parts(self, choice: int = 0, *, maker: str | None = None) -> dict[int, Part]:
        """The parts of one choice by their numbers, in order."""
        parts = self._parts.get(choice, {})
        return {number: _whole(parts[number], maker) for number in sorted(parts)}


def _whole(events: list[_Said], maker: str | None) -> Part:
    first = events[0]
    if isinstance(first, ToolCall):
        calls = [event for event in events if isinstance(event, ToolCall)]
        return ToolCallPart(
            id=_last(calls, "id") or "",
            name=_last(calls, "name") or "",
            arguments="".join(call.arguments for call in calls),
            kind=first.kind,
            signature=_last(calls, "signature"),
        )
    if isinstance(first, Reasoning):
        thoughts = [event for event in events if isinstance(event, Reasoning)]
        return ReasoningPart(
            text="".join(thought.text for thought in thoughts),
            signature=_last(thoughts, "signature"),
            redacted=_last(thoughts, "redacted"),
            maker=maker,
        )
    text = "".join(event.text for event in events if isinstance(event, Text | Refusal))
    return TextPart(text=text, refusal=isinstance(first, Refusal))


def _last(events: list[Any], name: str) -> str | None:
    return next((value for event in reversed(events) if (value := getattr(event, name)) is not None), None)
