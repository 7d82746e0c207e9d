"""Reads the lines of an answer of Ollama as events."""

import os
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from gateway import End, Event, Failure, Finish, Opaque, Reasoning, Start, Text, ToolCall, Usage
from gateway.events import FinishReason, Frame
from gateway.protocols import Reader
from gateway.wire.json import arguments_object, decode_said, encode_value
from gateway.wire.unicode import Halves, well_formed
from gateway.wire.upstream import ERRORS, count_of

_REASONS: Final[Mapping[str, FinishReason]] = MappingProxyType({"stop": "stop", "length": "length"})


class OllamaReader:
    """Reads one attempt's lines. A call comes as a whole; the last line has `done`, the reason and the counts."""

    __slots__ = ("_called", "_halves", "_started")

    def __init__(self) -> None:
        self._started = False
        self._called = False
        self._halves = Halves()

    def read(self, frame: Frame) -> list[Event]:
        """What the line says, at least one `Opaque`; a line that cannot be read is a `Failure`."""
        try:
            said = decode_said(frame.data or b"")
        except ValueError:
            return [malformed("The upstream sent a line that is not valid JSON.", frame)]
        return self.said(said, frame)

    def said(self, said: Mapping[str, Any], frame: Frame | None = None) -> list[Event]:
        """The same for the object of a line."""
        if said.get("error"):
            return [failure_of(said, source=frame)]
        message = said.get("message")
        events: list[Event] = []
        if not self._started:
            self._started = True
            events.append(_start(said, frame))
        if isinstance(message, dict):
            events += self._message(message, said.get("logprobs"), frame)
        if said.get("done") is True:
            events += self._end(said, frame)
        return events or [Opaque(kind="delta", source=frame)]

    def _message(self, message: Mapping[str, Any], logprobs: Any, frame: Frame | None) -> list[Event]:
        events: list[Event] = []
        thinking = message.get("thinking") or message.get("reasoning_content")  # as some that speak like it call it
        if thought := self._joined(Reasoning, thinking):
            events.append(Reasoning(text=thought, source=frame))
        if text := self._joined(Text, message.get("content")):
            spelled = {"content": logprobs} if isinstance(logprobs, list) else None
            events.append(Text(text=text, logprobs=spelled, source=frame))
        calls = message.get("tool_calls")
        for call in calls if isinstance(calls, list) else ():
            if isinstance(call, dict) and isinstance(function := call.get("function"), dict):
                self._called = True
                events.append(_call(call, function, frame))
        return events

    def _joined(self, kind: type[Event], text: Any) -> str:
        return self._halves.joined(kind, text) if isinstance(text, str) else ""

    def _end(self, said: Mapping[str, Any], frame: Frame | None) -> list[Event]:
        events: list[Event] = []
        if half := self._halves.left(Reasoning):
            events.append(Reasoning(text=half, source=frame))
        if half := self._halves.left(Text):
            events.append(Text(text=half, source=frame))
        given = said.get("done_reason")
        native = well_formed(given) if isinstance(given, str) and given else None
        reason = _REASONS.get(native or "stop", "other")
        if reason == "stop" and self._called:  # Ollama stops, whatever it stopped for
            reason = "tool_calls"
        counts = {name: value for name, value in said.items() if name != "message"}
        usage = Usage(
            input=count_of(said.get("prompt_eval_count")),
            output=count_of(said.get("eval_count")),
            native=counts,
            source=frame,
        )
        return [*events, usage, Finish(reason=reason, native=native, source=frame), End(source=frame)]


def failure_of(said: Mapping[str, Any], *, status: int = 0, source: Frame | None = None) -> Failure:
    """The failure an `error` is; `status` is the HTTP one, used if it is an error's."""
    error = said.get("error")
    if status not in ERRORS:
        given = said.get("status_code")
        status = given if isinstance(given, int) and given in ERRORS else 502
    message = well_formed(error) if isinstance(error, str) else "The upstream reported an error."
    return Failure(
        code="upstream_error",
        message=message,
        status=status,
        retryable=status in (408, 409, 429) or status >= 500,
        native={"message": message},
        source=source,
    )


def malformed(message: str, frame: Frame | None = None) -> Failure:
    """What an answer is that cannot be read."""
    return Failure(code="upstream_protocol", message=message, source=frame)


def _start(said: Mapping[str, Any], frame: Frame | None) -> Start:
    model, created = said.get("model"), None
    try:
        created = int(datetime.fromisoformat(str(said.get("created_at"))).timestamp())
    except (ValueError, OverflowError):
        pass
    return Start(model=well_formed(model) if isinstance(model, str) else None, created=created, source=frame)


def _call(call: Mapping[str, Any], function: Mapping[str, Any], frame: Frame | None) -> ToolCall:
    """A whole call. Older servers give it no id, which every dialect of ours needs, and each turn anew."""
    id, name, arguments = call.get("id"), function.get("name"), function.get("arguments")
    if isinstance(arguments, str):
        arguments = arguments_object(arguments)
    return ToolCall(
        id=well_formed(id) if isinstance(id, str) and id else f"call_{os.urandom(12).hex()}",
        name=well_formed(name) if isinstance(name, str) else "",
        arguments=bytes(encode_value(arguments if isinstance(arguments, dict) else {})).decode(),
        source=frame,
    )


if TYPE_CHECKING:
    _: type[Reader] = OllamaReader
