"""Which fragment belongs to which tool call, where a chat upstream says less than OpenAI does."""

import json
from typing import Any

from gateway.events import Event, Frame, ToolCall
from gateway.parts import Collected
from gateway.prompt import ToolCallPart
from gateway.wire.chat import CHAT, CHAT_CLIENT


def fragments(*deltas: list[dict[str, Any]]) -> list[ToolCall]:
    """What the reader tells of the calls of each delta; it tells nothing else."""
    reader = CHAT.reader()
    chunks = ({"choices": [{"index": 0, "delta": {"tool_calls": calls}}]} for calls in deltas)
    events = [event for chunk in chunks for event in reader.read(Frame(b"", json.dumps(chunk).encode()))]
    calls = [event for event in events if isinstance(event, ToolCall)]
    assert calls == events
    return calls


def calls_of(events: list[ToolCall]) -> list[ToolCallPart]:
    """The whole calls."""
    collected = Collected()
    for event in events:
        collected.note(event)
    return [part for part in collected.message().parts if isinstance(part, ToolCallPart)]


def made_of(events: list[ToolCall]) -> list[tuple[str, str]]:
    """Names and arguments of the whole calls."""
    return [(call.name, call.arguments) for call in calls_of(events)]


def function(index: int | None, arguments: str = "", *, name: str | None = None, **more: Any) -> dict[str, Any]:
    said = {"arguments": arguments} | ({"name": name} if name else {})
    return ({} if index is None else {"index": index}) | {"function": said} | more


def test_a_custom_call_goes_on_without_its_type() -> None:
    (call,) = calls_of(
        fragments(
            [{"index": 0, "id": "a", "type": "custom", "custom": {"name": "patch", "input": ""}}],
            [{"index": 0, "custom": {"input": "*** Begin "}}],
            [{"index": 0, "custom": {"input": "Patch"}}],
        )
    )
    assert (call.id, call.kind, call.name, call.arguments) == ("a", "custom", "patch", "*** Begin Patch")


def test_custom_calls_that_we_write_are_read_as_they_were() -> None:
    request = CHAT_CLIENT.read_request(b'{"model":"m","messages":[],"stream":true}')
    said: list[Event] = [
        ToolCall(id="a", name="patch", arguments="*** Begin ", kind="custom"),
        ToolCall(id="b", name="f", arguments="{}"),
        ToolCall(id="a", arguments="Patch", kind="custom"),
    ]
    reader = CHAT.reader()
    frames = CHAT.framing().feed(CHAT_CLIENT.writer(request, "responses").write(said))
    read = [event for frame in frames for event in reader.read(frame) if isinstance(event, ToolCall)]
    assert [(call.id, call.kind, call.arguments) for call in calls_of(read)] == [
        ("a", "custom", "*** Begin Patch"),
        ("b", "function", "{}"),
    ]
