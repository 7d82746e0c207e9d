"""The text that events become, for providers that speak events and for upstream chunks the transcripts lack."""

import json
from typing import Any

import pytest

from gateway.events import Event, Failure, Finish, Frame, Reasoning, Refusal, Start, Text, ToolCall, Usage
from gateway.protocols import ABORT
from gateway.wire.chat import CHAT
from gateway.wire.javascript import SPACE
from gateway_chatbot_ui.writer import TextWriter


def written(*batches: list[Event]) -> str:
    writer = TextWriter()
    return b"".join(writer.write(batch) for batch in batches).decode()


def test_text_of_the_first_choice_is_all_there_is() -> None:
    events: list[Event] = [
        Start(id="1"),
        Reasoning(text="hm"),
        Text(text=" a"),
        Text(text="x", choice=1),
        Refusal(text="no"),
        Usage(input=1),
        Text(text=" b "),
        Finish(reason="stop"),
    ]
    assert written(events) == "a b "
    assert written(*([e] for e in events)) == "a b "


def test_leading_white_space_goes_whatever_pieces_it_comes_in() -> None:
    assert written(*([Text(text=c)] for c in SPACE), [Text(text=SPACE + "a ")], [Text(text=" b")]) == "a  b"
    for kept in ("\u200b", "\u0085", "\u180e", "\x1c", "\x00"):
        assert written([Text(text=" " + kept + " ")]) == kept + " "


def test_tool_calls_of_event_providers_are_whole_json() -> None:
    text = written(
        [Text(text="Look: ")],
        [ToolCall(id="a", name="f", arguments='{"x":'), ToolCall(id="a", arguments='"/"}')],
        [ToolCall(id="b", name="g", arguments="{}"), Finish(reason="tool_calls")],
    )
    assert text.startswith("Look: ")
    calls = json.loads(text.removeprefix("Look: "))["tool_calls"]
    assert [(c["id"], c["function"]["name"], c["function"]["arguments"]) for c in calls] == [
        ("a", "f", '{"x":"/"}'),
        ("b", "g", "{}"),
    ]


def chunks(*deltas: Any) -> str:
    reader, writer, out = CHAT.reader(lenient=True), TextWriter(), b""
    for delta in deltas:
        choice = {"index": 0, "delta": delta, "finish_reason": delta.pop("finish", None)}
        out += writer.write(reader.read(Frame(b"", json.dumps({"choices": [choice]}).encode())))
    return out.decode()


def call(**function: Any) -> dict[str, Any]:
    return {"tool_calls": [{"index": 0, "id": "a", "function": function}]}


def test_surrogate_pairs_in_arguments_are_joined_over_deltas() -> None:
    opening = chunks(call(name="f"))
    assert chunks(call(name="f"), call(arguments="a\ud83c"), call(arguments="\udf89b")) == opening + "a🎉b"
    alone = chunks(call(name="f"), call(arguments="a\ud83c"), {"finish": "tool_calls"})
    assert alone == opening + 'a\ufffd"}}]}'


def test_a_lone_half_in_a_name_or_an_id_is_replaced() -> None:
    delta = {"tool_calls": [{"index": 0, "id": "\ud83c", "function": {"name": "\udf89"}}]}
    assert '"id": "\ufffd"' in chunks(delta)
    assert '"name": "\ufffd"' in chunks(delta)


@pytest.mark.parametrize("reason", [7, {}, [], True, "other"])
def test_a_call_stays_open_for_any_other_finish_reason(reason: Any) -> None:
    assert chunks(call(name="f"), {"finish": reason}) == chunks(call(name="f"))


def test_a_broken_stream_can_only_be_cut() -> None:
    writer = TextWriter()
    assert writer.failure(Failure(code="x", message="y")) is ABORT
    assert (writer.end_marker, writer.ping) == (b"", b"")
