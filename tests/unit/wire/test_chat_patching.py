"""What a step changed in the answer of a chat upstream, as a chat client gets it: with all else that was said."""

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from gateway.events import Cause, Event, Reasoning, Text, ToolCall
from gateway.pipeline.calls import Calls
from gateway.pipeline.lanes import relay_for
from gateway.pipeline.steps import start_steps
from gateway.protocols import ByteUpstream
from gateway.runtime import Faults, Registered
from gateway.wire.chat import CHAT, CHAT_CLIENT, LEGACY, LEGACY_CLIENT

Step = Callable[[list[Event]], list[Event]]


def mask(events: list[Event]) -> list[Event]:
    """Takes the secret out of everything."""

    def masked(event: Event) -> Event:
        if isinstance(event, Text | Reasoning):
            return msgspec.structs.replace(event, text=event.text.replace("secret", "***"))
        if isinstance(event, ToolCall):
            return msgspec.structs.replace(event, arguments=event.arguments.replace("secret", "***"))
        return event

    return [masked(event) for event in events]


def played(body: bytes, step: Step, *, stream: bool, dialect: Any = CHAT, client: Any = CHAT_CLIENT) -> bytes:
    """What the client gets of an upstream's answer."""
    asked = {"model": "m", "messages": [], "prompt": "x", "stream": stream}
    request = client.read_request(json.dumps(asked).encode())
    generation: Any = SimpleNamespace(stream_transforms=[Registered("p", SimpleNamespace(start=lambda exchange: step))])
    exchange: Any = SimpleNamespace(timings={})
    log: Any = SimpleNamespace()
    upstream: Any = SimpleNamespace(headers=(("content-type", "text/event-stream" if stream else "application/json"),))
    steps = start_steps(generation, exchange, Calls(Faults(), log))
    relay = relay_for(ByteUpstream(dialect, upstream), client, request, steps=steps, observers=None)
    assert relay.lane == "parsed"
    return relay.feed(body) + relay.end(Cause.EOF)


def chunks(*choices: dict[str, Any], step: Step = mask) -> list[Any]:
    """The first choice of each chunk that the client gets, where the upstream sends these."""
    frames = [b"data: " + json.dumps({"id": "c", "choices": [choice]}).encode() + b"\n\n" for choice in choices]
    out = played(b"".join(frames) + b"data: [DONE]\n\n", step, stream=True)
    assert out.endswith(b"\n\ndata: [DONE]\n\n")
    return [json.loads(line[6:])["choices"][0] for line in out.split(b"\n\n")[:-2]]


def deltas(*said: dict[str, Any], step: Step = mask) -> list[Any]:
    """The same of deltas; a finish comes behind them."""
    choices = [{"index": 0, "delta": delta, "finish_reason": None} for delta in said]
    end = {"index": 0, "delta": {}, "finish_reason": "stop"}
    return [choice["delta"] for choice in chunks(*choices, end, step=step)[:-1]]


def message(said: dict[str, Any], *, step: Step = mask, **choice: Any) -> Any:
    """The message of a whole completion that the client gets."""
    whole = {"id": "c", "choices": [{"index": 0, "message": said, "finish_reason": "stop", **choice}]}
    return json.loads(played(json.dumps(whole).encode(), step, stream=False))["choices"][0]["message"]


def test_a_function_call_of_old_says_what_a_step_made_of_it() -> None:
    begun, rest = deltas(
        {"content": "a secret", "function_call": {"name": "f", "arguments": '{"a":"secret'}},
        {"function_call": {"arguments": ' secret"}'}},
    )
    assert begun == {"content": "a ***", "function_call": {"name": "f", "arguments": '{"a":"***'}}
    assert rest == {"function_call": {"arguments": ' ***"}'}}


def test_a_function_call_of_old_that_a_step_took_out_is_gone() -> None:
    def refuse(events: list[Event]) -> list[Event]:
        return [event for event in events if not isinstance(event, ToolCall)]

    said = {"content": "a", "function_call": {"name": "f", "arguments": '"secret"'}}
    assert deltas(said, step=refuse) == [{"content": "a"}]
    assert message({"role": "assistant", **said}, step=refuse) == {"role": "assistant", "content": "a"}


def test_a_whole_function_call_of_old_stays_one() -> None:
    call = {"name": "f", "arguments": '"secret"', "more": 1}
    said = message({"role": "assistant", "content": None, "function_call": call}, finish_reason="function_call")
    assert said == {
        "role": "assistant",
        "content": None,
        "function_call": {"name": "f", "arguments": '"***"', "more": 1},
    }


@pytest.mark.parametrize("stream", [True, False])
def test_thinking_told_twice_tells_neither_time_what_a_step_took_out(stream: bool) -> None:
    said = {"content": "secret", "reasoning_content": "a secret", "reasoning": "a secret"}
    (got,) = deltas(said) if stream else [message(said)]
    assert "secret" not in json.dumps(got)
    assert got["reasoning_content"] == "a ***"


def test_a_client_that_reads_either_field_of_the_thinking_gets_it() -> None:
    assert deltas({"reasoning_content": "a secret", "reasoning": "a secret"}) == [
        {"reasoning_content": "a ***", "reasoning": "a ***"}
    ]


def call(index: int, arguments: str, *, id: str | None = None, name: str | None = None) -> dict[str, Any]:
    function = {"arguments": arguments} | ({"name": name} if name else {})
    return {"index": index, "function": function} | ({"id": id, "type": "function"} if id else {})


def without(name: str) -> Step:
    """Takes out the call of this name, and what follows of it."""
    refused: set[str | None] = set()

    def step(events: list[Event]) -> list[Event]:
        refused.update(event.id for event in events if isinstance(event, ToolCall) and event.name == name)
        return [event for event in events if not (isinstance(event, ToolCall) and event.id in refused)]

    return step


@pytest.mark.parametrize("ids", [("A", "B"), (None, None)])
@pytest.mark.parametrize("kept", [0, 1])
def test_the_call_that_a_step_leaves_stays_what_it_was(ids: tuple[str | None, str | None], kept: int) -> None:
    begun = [call(0, "{", id=ids[0], name="f"), call(1, "[", id=ids[1], name="g")]
    rest = [call(0, "}"), call(1, "]")]
    step = without("gf"[kept])
    assert deltas({"tool_calls": begun}, {"tool_calls": rest}, step=step) == [
        {"tool_calls": [begun[kept]]},
        {"tool_calls": [rest[kept]]},
    ]


@pytest.mark.parametrize("name", ["f", "g", "h"])
def test_the_same_where_all_calls_have_one_index_and_no_id(name: str) -> None:
    begun = [call(0, "1", name="f"), call(0, "2", name="g"), call(0, "3", name="h")]
    kept = [one for one in begun if one["function"]["name"] != name]
    assert deltas({"tool_calls": begun}, step=without(name)) == [{"tool_calls": kept}]


def test_calls_that_a_step_gives_out_in_another_order_keep_their_own_arguments() -> None:
    def turn(events: list[Event]) -> list[Event]:
        calls = [event for event in events if isinstance(event, ToolCall)]
        return [calls.pop() if isinstance(event, ToolCall) else event for event in events]

    begun = [call(0, "1", id="A", name="f"), call(1, "2", id="B", name="g")]
    assert deltas({"tool_calls": begun}, step=turn) == [{"tool_calls": begun}]


def test_fragments_of_one_call_in_one_delta_are_one_where_a_step_changed_them() -> None:
    (got,) = deltas({"tool_calls": [call(0, '"secret', id="A", name="f"), call(0, ' and"')]})
    assert got == {"tool_calls": [call(0, '"*** and"', id="A", name="f")]}


@pytest.mark.parametrize("strange", ["x", {"index": 0}, [None, 1, {"id": ["A"], "index": {}, "function": "secret"}]])
def test_calls_that_are_none_break_no_patching(strange: Any) -> None:
    (got,) = deltas({"content": "secret", "tool_calls": strange})
    assert got["content"] == "***"
    assert "secret" not in json.dumps(got)


def test_a_call_to_which_a_step_gives_another_id_is_changed_all_the_same() -> None:
    def rename(events: list[Event]) -> list[Event]:
        return [
            msgspec.structs.replace(event, id="ours", arguments="{}") if isinstance(event, ToolCall) else event
            for event in events
        ]

    assert deltas({"tool_calls": [call(0, "[]", id="A", name="f")]}, step=rename) == [
        {"tool_calls": [call(0, "{}", id="A", name="f")]}
    ]


@pytest.mark.parametrize("index", [{"index": None}, {}, {"index": "0"}])
def test_a_choice_without_a_number_is_the_first(index: dict[str, Any]) -> None:
    (got,) = chunks({**index, "delta": {"content": "a secret"}, "finish_reason": "stop"})
    assert got == {**index, "delta": {"content": "a ***"}, "finish_reason": "stop"}
    assert message({"role": "assistant", "content": "a secret"}, **index)["content"] == "a ***"


@pytest.mark.parametrize("stream", [True, False])
def test_a_text_without_a_number_is_the_first(stream: bool) -> None:
    body = b'{"id": "c", "choices": [{"index": null, "text": "a secret", "finish_reason": "stop"}]}'
    sent = b"data: " + body + b"\n\ndata: [DONE]\n\n" if stream else body
    out = played(sent, mask, stream=stream, dialect=LEGACY, client=LEGACY_CLIENT)
    (choice,) = json.loads(out.removeprefix(b"data: ").split(b"\n\n")[0])["choices"]
    assert (choice["text"], choice["finish_reason"]) == ("a ***", "stop")
