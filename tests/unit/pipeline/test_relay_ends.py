"""How answers end: choices that go on behind a finish, finishes that are faults, failures that quote a secret."""

import json
from types import SimpleNamespace
from typing import Any

import pytest

from gateway import ChatRequest
from gateway.domain import Attempt, Exchange, Model
from gateway.events import Cause
from gateway.pipeline.lanes import relay_for
from gateway.pipeline.relay import Relay
from gateway.protocols import ByteUpstream, ClientDialect
from gateway.secrets import Secret
from gateway.wire.chat import CHAT, CHAT_CLIENT
from gateway.wire.messages import MESSAGES_CLIENT
from gateway_chatbot_ui.dialect import ChatbotUi

CLIENTS: dict[str, ClientDialect] = {
    "chat": CHAT_CLIENT,
    "messages": MESSAGES_CLIENT,
    "custom": ChatbotUi(not_found=""),
}
ENDS = {"chat": b"[DONE]", "messages": b"message_stop"}
CALL = {"index": 1, "id": "b", "type": "function", "function": {"name": "g", "arguments": '{"x"'}}
WHOLE_CALL = {"index": 0, "id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
DONE = b"data: [DONE]\n\n"


def chunk(finish: str | None = None, **delta: Any) -> bytes:
    said = {"id": "c", "model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
    return b"data: " + json.dumps(said).encode() + b"\n\n"


def relay(client: str, *, stream: bool = True) -> Relay:
    fields = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "x"}], "stream": stream}
    if client == "custom":
        fields = {"chatSettings": {"model": "m", "temperature": 0.5}, "messages": [], "customModelId": "m"}
    request: ChatRequest = CLIENTS[client].read_request(json.dumps(fields).encode())
    body: Any = SimpleNamespace(headers=(("content-type", "text/event-stream"),))
    return relay_for(ByteUpstream(CHAT, body), CLIENTS[client], request, steps=None, observers=None)


def play(made: Relay, *reads: bytes, cause: Cause = Cause.RESET) -> bytes:
    return b"".join([*map(made.feed, reads), made.end(cause)])


def play_whole(client: str, *reads: bytes, cause: Cause = Cause.RESET) -> Relay:
    made = relay(client)
    play(made, *reads, cause=cause)
    return made


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize(
    "reads",
    [
        (chunk(content="Hel"), chunk("stop"), chunk(content="lo wor")),
        (chunk(content="Hel"), chunk("stop", content="lo"), b"".join(chunk(content="word " * 9) for _ in range(20))),
        (chunk("stop", content="Hello") + chunk(content=" wor"),),
        (chunk("tool_calls", tool_calls=[WHOLE_CALL]), chunk(tool_calls=[CALL])),
    ],
    ids=["text", "many at once", "in one read", "a second call"],
)
def test_a_choice_that_goes_on_behind_its_finish_has_to_finish_again_or_to_end_its_message(
    reads: tuple[bytes, ...], client: str
) -> None:
    made = relay(client)
    play(made, *reads)
    assert made.answer.failure is not None
    assert made.answer.failure.code == "upstream_disconnected"
    for whole in (play_whole(client, *reads, chunk("stop")), play_whole(client, *reads, cause=Cause.EOF)):
        assert whole.answer.failure is None


@pytest.mark.parametrize("behind", [chunk(), chunk(content=""), chunk(role="assistant"), b": ping\n\n"])
@pytest.mark.parametrize("client", CLIENTS)
def test_what_says_nothing_behind_a_finish_takes_nothing_back(client: str, behind: bytes) -> None:
    made = relay(client)
    play(made, chunk(content="Hello"), chunk("stop"), behind)
    assert made.answer.failure is None


@pytest.mark.parametrize("reason", ["network_error", "insufficient_system_resource"])
@pytest.mark.parametrize("client", ["messages", "custom"])
def test_a_finish_that_is_a_fault_is_a_failure_where_the_client_has_no_word_for_it(client: str, reason: str) -> None:
    made = relay(client)
    out = play(made, chunk(content="Hel"), chunk(reason), DONE, cause=Cause.EOF)
    assert made.answer.failure is not None
    assert reason in made.answer.failure.message
    assert made.aborted if client == "custom" else b"message_stop" not in out


def test_a_client_that_speaks_the_dialect_reads_that_finish_itself() -> None:
    made = relay("chat")
    reads = (chunk(content="Hel"), chunk("network_error"), DONE)
    assert play(made, *reads, cause=Cause.EOF) == b"".join(reads)


@pytest.mark.parametrize("client", ["chat", "messages"])
def test_a_failure_in_the_middle_does_not_tell_the_upstreams_secrets(client: str) -> None:
    exchange = Exchange("e", client)
    model = Model(
        id="i",
        name="m",
        model_id="m",
        base_url="http://a",
        api_key=Secret("plain words 12"),
        headers={"x-own": "other words 34"},
    )
    exchange.attempts.append(Attempt(exchange, model, 1, "first"))
    made = relay(client)
    made.exchange = exchange
    error = {"message": "plain words 12, other words 34 and sk-upstreamsecret0123456789", "code": "plain words 12"}
    out = play(made, chunk(content="Hel") + b"data: " + json.dumps({"error": error}).encode() + b"\n\n")
    assert b"Hel" in out
    assert b"error" in out
    assert not any(secret in out for secret in (b"plain words", b"other words", b"sk-upstreamsecret"))
