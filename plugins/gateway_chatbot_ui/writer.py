"""Writes an answer as the original did: plain text, tool calls as JSON inside it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, Final

from gateway.events import Answer, Event, Failure, Finish, Text, ToolCall
from gateway.protocols import ABORT
from gateway.wire.javascript import SPACE, parse, to_string, truthy

_ESCAPES: Final = str.maketrans(
    {"\\": "\\\\", "/": "\\/", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t", "\f": "\\f"}
)
_CLOSING: Final = {"tool_calls": '"}}]}', "function_call": '"}}', "stop": '"}}'}
"""What the original wrote for each finish reason: the square bracket it opened stays open but for one."""


class TextWriter:
    """One answer's text. What the original made of a tool call depends on the upstream's own chunk, so frames with
    one are read again; plain text never is. Other dialects' calls, which the original never saw, are written in the
    same form."""

    __slots__ = ("_begun", "_calling", "_original")

    end_marker: Final = b""
    ping: Final = b""
    joins: Final = True

    def __init__(self, *, upstream: str = "chat") -> None:
        self._original = upstream == "chat"
        """Whether the upstream speaks what the original read."""
        self._begun = False
        """Whether any text came: before it white space is dropped. Tool calls do not count."""
        self._calling = False
        """Whether the JSON of a tool call is open."""

    def write(self, events: Sequence[Event]) -> bytes:
        """The text that the events add."""
        if self._begun and len(events) == 1 and type(event := events[0]) is Text and event.choice == 0:
            return event.text.encode()
        return "".join(self._pieces(events)).encode()

    def failure(self, failure: Failure) -> bytes | None:
        """Plain text has no word for it: the connection is cut."""
        return ABORT

    def answer(self, answer: Answer) -> bytes:
        """Nothing: this route always streams."""
        return b""

    def _pieces(self, events: Sequence[Event]) -> Iterator[str]:
        for _, group in groupby(events, lambda event: id(event.source or event)):
            said = [e for e in group if getattr(e, "choice", 0) == 0]
            calls = any(type(e) is ToolCall or (self._calling and type(e) is Finish) for e in said)
            piece = self._call(said) if calls else None
            yield self._text(said) if piece is None else piece

    def _text(self, events: Iterable[Event]) -> str:
        text = "".join([e.text for e in events if type(e) is Text])
        if text and not self._begun:
            text = text.lstrip(SPACE)
            self._begun = bool(text)
        return text

    def _call(self, events: Sequence[Event]) -> str | None:
        """What the original wrote instead of the frame's text; None when it wrote the text."""
        source = events[0].source
        if source is None or source.data is None or not self._original:
            return "".join(self._own_call(e) for e in events)
        choice = parse(source.data.decode())["choices"][0]
        delta = _object(choice.get("delta"))
        opening = self._opening(delta)
        if opening is not None:
            self._calling = True
            return opening
        arguments = [e.arguments for e in events if type(e) is ToolCall]
        if _has_arguments(delta):
            return _escaped("".join(arguments[:1]))
        reason = choice.get("finish_reason")
        if not self._calling or "delta" not in choice or not isinstance(reason, str) or reason not in _CLOSING:
            return None
        self._calling = False
        return ("\ufffd" if "\ufffd" in arguments else "") + _CLOSING[reason]  # a half that stayed alone

    def _opening(self, delta: Mapping[str, Any]) -> str | None:
        name = _object(delta.get("function_call")).get("name")
        if truthy(name):
            return f'{{"function_call": {{"name": "{_printed(name)}", "arguments": "'
        call = _first_call(delta)
        name = _object(call.get("function")).get("name")
        if not truthy(name):
            return None
        index = call.get("index")
        first = index == 0 and index is not False
        start = '{"tool_calls":[ ' if first else '"}}, '
        id = _printed(call["id"]) if "id" in call else "undefined"
        return f'{start}{{"id": "{id}", "type": "function", "function": {{"name": "{_printed(name)}", "arguments": "'

    def _own_call(self, event: Event) -> str:
        """The same form for providers that speak otherwise: there every fragment counts."""
        if type(event) is ToolCall:
            arguments = _escaped(event.arguments)
            if not event.name:
                return arguments
            start = '"}}, ' if self._calling else '{"tool_calls":[ '
            self._calling = True
            head = (
                f'{{"id": "{event.id or ""}", "type": "function", "function": {{"name": "{event.name}", "arguments": "'
            )
            return start + head + arguments
        if type(event) is Finish and self._calling:
            self._calling = False
            return _CLOSING["tool_calls"]
        return self._text([event])


def _first_call(delta: Mapping[str, Any]) -> Mapping[str, Any]:
    calls = delta.get("tool_calls")
    return _object(calls[0]) if isinstance(calls, list) and calls else {}


def _has_arguments(delta: Mapping[str, Any]) -> bool:
    if truthy(_object(delta.get("function_call")).get("arguments")):
        return True
    return truthy(_object(_first_call(delta).get("function")).get("arguments"))


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _printed(value: Any) -> str:
    return to_string(value).encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _escaped(arguments: str) -> str:
    return arguments.translate(_ESCAPES)
