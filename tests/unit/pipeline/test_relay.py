"""The relay: what is held, what opens the status line, and that no cut ever looks like an end."""

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.events import Answer, Cause, End, Finish, Text
from gateway.pipeline.intake import BODY_LIMIT, Intake
from gateway.pipeline.relay import Relay
from gateway.wire.chat import CHAT
from gateway_chatbot_ui.dialect import ChatbotUi

GOLDEN = Path(__file__).parents[2] / "golden" / "custom_route"
STREAM = "text/event-stream"


def chunk(text: str | None = None, *, finish: str | None = None, index: int = 0) -> bytes:
    delta = {} if text is None else {"content": text}
    choice = {"index": index, "delta": delta, "finish_reason": finish}
    return b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\n"


DONE = b"data: [DONE]\n\n"


def new_relay(content_type: str = STREAM) -> Relay:
    dialect = ChatbotUi(not_found="")
    request = dialect.read_request(b'{"chatSettings":{"model":"m"},"messages":[],"customModelId":"x"}')
    intake = Intake(CHAT, content_type=content_type, lenient=True)
    return Relay(intake, dialect.writer(request, CHAT.name), Answer())


def play(relay: Relay, *pieces: bytes, cause: Cause = Cause.EOF) -> bytes:
    return b"".join(map(relay.feed, pieces)) + relay.end(cause)


def test_nothing_opens_before_the_first_content():
    relay = new_relay()
    assert (
        relay.feed(b": ping\n\n" + b'data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}\n\n')
        == b""
    )
    assert not relay.open
    assert relay.feed(chunk("a")) == b"a"
    assert relay.open


def test_a_failure_before_content_leaves_the_status_line_to_the_router():
    relay = new_relay()
    assert relay.feed(b'data: {"error":{"message":"Overloaded","code":503}}\n\n') == b""
    assert relay.closed
    assert not relay.open
    assert not relay.aborted
    assert relay.answer.failure is not None
    assert (relay.answer.failure.status, relay.answer.failure.message) == (503, "Overloaded")


def test_a_failure_after_content_can_only_cut_plain_text():
    relay = new_relay()
    assert play(relay, chunk("a"), chunk("b"), cause=Cause.RESET) == b"ab"
    assert relay.aborted


def test_an_end_without_content_is_an_answer():
    relay = new_relay()
    assert play(relay, DONE) == b""
    assert relay.open
    assert not relay.aborted


@pytest.mark.parametrize("cause", [Cause.EOF, Cause.RESET, Cause.IDLE, Cause.SHUTDOWN])
def test_a_finish_reason_is_a_proper_end_whatever_comes_after(cause):
    relay = new_relay()
    assert play(relay, chunk("a"), chunk(finish="stop"), cause=cause) == b"a"
    assert not relay.aborted


def test_every_choice_asked_for_must_finish():
    relay = Relay(None, new_relay()._writer, Answer(expected=2))
    relay.take([Text("a", choice=0), Finish("stop", choice=0)])
    relay.end(Cause.EOF)
    assert relay.aborted


def test_nothing_after_the_end_is_written():
    relay = new_relay()
    assert play(relay, chunk("a"), DONE, chunk("LATE")) == b"a"
    assert relay.answer.ended


def test_events_of_a_provider_take_the_same_way():
    relay = Relay(None, new_relay()._writer, Answer())
    assert relay.take([Text(" hello"), Text(" world")]) == b"hello world"
    assert relay.take([Finish("stop"), End()]) == b""
    assert relay.closed
    assert not relay.aborted


@pytest.mark.parametrize("content_type", ["", "application/json", "text/plain; charset=utf-8"])
@pytest.mark.parametrize("lead", [b"", b"\xef\xbb\xbf", b"\n\n"])
def test_an_event_stream_is_known_by_its_first_bytes_under_any_content_type(content_type, lead):
    body = lead + b": hi\n\n" + chunk("a") + DONE
    for cut in range(len(lead) + 12):
        assert play(new_relay(content_type), body[:cut], body[cut:]) == b"a"


@pytest.mark.parametrize("content_type", ["", "application/json", STREAM])
def test_a_completion_that_is_no_stream_becomes_text(content_type):
    body = b'{"choices":[{"index":0,"message":{"role":"assistant","content":"whole"},"finish_reason":"stop"}]}'
    for cut in range(0, len(body), 7):
        relay = new_relay(content_type)
        assert play(relay, body[:cut], body[cut:]) == b"whole"
        assert not relay.aborted


@pytest.mark.parametrize("body", [b"<html>oops</html>", b'{"error":{"message":"no"}}', b"42", b"nonsense", b'{"a":'])
def test_what_is_neither_is_a_failure_with_a_status(body):
    relay = new_relay("text/html")
    assert play(relay, body) == b""
    assert not relay.open
    assert relay.answer.failure is not None
    assert relay.answer.failure.status == 502


@pytest.mark.parametrize("start", [b"{", b"data: "])
def test_an_endless_line_ends_at_the_limit(start):
    relay = new_relay()
    relay.feed(start)
    for _ in range(BODY_LIMIT // 65536 + 2):
        assert relay.feed(b"x" * 65536) == b""
    assert relay.closed
    assert relay.answer.failure is not None
    assert relay.answer.failure.code == "event_too_large"


def recorded_streams() -> list[Any]:
    """Every recorded stream that ends properly, as bytes."""
    streams = []
    for path in sorted(GOLDEN.glob("*.json")):
        case = json.loads(path.read_text())
        behaviour = case["upstream_behaviour"]
        if isinstance(behaviour, dict) and "sse" in behaviour and all(isinstance(p, str) for p in behaviour["sse"]):
            streams.append(pytest.param("".join(behaviour["sse"]).encode(), id=case["case"]))
    return streams


@pytest.mark.parametrize("wire", recorded_streams())
def test_a_stream_cut_anywhere_never_looks_finished(wire):
    whole = new_relay()
    text = play(whole, wire)
    for cut in range(len(wire)):
        for cause in (Cause.EOF, Cause.RESET):
            relay = new_relay()
            got = play(relay, wire[:cut], cause=cause)
            if not whole.aborted and whole.open:
                assert text.startswith(got)
            ended_well = relay.open and not relay.aborted
            assert not ended_well or relay.answer.ended or relay.answer.finish


@pytest.mark.parametrize("wire", recorded_streams())
def test_output_does_not_depend_on_where_reads_split(wire):
    whole = new_relay()
    text = play(whole, wire)
    for cut in range(1, len(wire)):
        relay = new_relay()
        assert play(relay, wire[:cut], wire[cut:]) == text
        assert (relay.open, relay.aborted) == (whole.open, whole.aborted)
    drip = new_relay()
    assert play(drip, *(wire[i : i + 1] for i in range(len(wire)))) == text
