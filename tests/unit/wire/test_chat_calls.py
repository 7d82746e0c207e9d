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


def test_calls_without_ids_are_told_apart_by_their_index() -> None:
    events = fragments(
        [function(0, name="a"), function(1, name="b")],
        [function(0, '{"x":')],
        [function(1, "[2]"), function(0, "1}")],
    )
    assert made_of(events) == [("a", '{"x":1}'), ("b", "[2]")]
    first, second = calls_of(events)
    assert first.id
    assert second.id not in ("", first.id)


def test_an_id_that_we_made_is_never_made_again() -> None:
    once, again = (calls_of(fragments([function(0, name="a")])) for _ in range(2))
    assert once[0].id != again[0].id


def test_calls_that_all_have_one_index_and_no_id_are_told_apart_by_their_names() -> None:
    for index in (0, None):
        both = [function(index, "1", name="a", id=""), function(index, "2", name="b", id="")]
        assert made_of(fragments(both)) == [("a", "1"), ("b", "2")]
        assert made_of(fragments(both[:1], [function(index, "0")], both[1:])) == [("a", "10"), ("b", "2")]


def test_a_name_that_comes_again_begins_no_call_where_the_first_delta_had_an_id() -> None:
    assert made_of(fragments([function(0, "[", name="a", id="x")], [function(0, "]", name="a")])) == [("a", "[]")]


def test_what_has_neither_id_nor_name_nor_a_known_index_goes_on_with_the_call_before() -> None:
    assert made_of(fragments([function(0, "[", name="a")], [function(None, "1")], [function(7, "]")])) == [("a", "[1]")]
    assert [call.id for call in fragments([function(0, "1")])] == [None]
