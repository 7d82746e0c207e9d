"""What a client said and the quirks of a model leave out is noted by name, and refused where that is asked."""

import json
from typing import Any

import msgspec
import pytest

from gateway import InvalidRequest, Model
from gateway.domain import Quirks
from gateway.protocols import ClientDialect, UpstreamDialect
from gateway.requests import ChatRequest
from gateway.wire.chat import CHAT, CHAT_CLIENT
from gateway.wire.messages import MESSAGES, MESSAGES_CLIENT
from gateway.wire.plain import PLAIN, PlainClient
from gateway.wire.responses import RESPONSES, RESPONSES_CLIENT

HI = [{"role": "user", "content": "Hi"}]
CLIENTS: dict[str, tuple[ClientDialect, UpstreamDialect, dict[str, Any]]] = {
    "chat": (CHAT_CLIENT, CHAT, {"messages": HI}),
    "responses": (RESPONSES_CLIENT, RESPONSES, {"input": "Hi"}),
    "messages": (MESSAGES_CLIENT, MESSAGES, {"messages": HI, "max_tokens": 9}),
    "embeddings": (PlainClient("/embeddings"), PLAIN, {"input": "Hi"}),
    "messages to chat": (MESSAGES_CLIENT, CHAT, {"messages": HI, "max_tokens": 9}),
    "chat to messages": (CHAT_CLIENT, MESSAGES, {"messages": HI}),
}


def model(**fields: Any) -> Model:
    quirks = Quirks(**fields.pop("quirks", {}))
    return Model(id="1", name="m", model_id="up", base_url="", quirks=quirks, **fields)


def chat(**said: Any) -> ChatRequest:
    return CHAT_CLIENT.read_request(json.dumps({"model": "m", "messages": HI, **said}).encode())


def lost(asked: ChatRequest, to: Model) -> set[str]:
    CHAT.write_request(asked, to)
    return set(asked.lost)


@pytest.mark.parametrize("kind", CLIENTS)
def test_a_field_that_is_left_out_is_named_and_a_strict_request_is_refused(kind: str) -> None:
    client, upstream, said = CLIENTS[kind]
    asked = client.read_request(json.dumps({"model": "m", **said, "temperature": 0.25}).encode())
    cold = model(quirks={"omit": frozenset({"temperature", "stream_options"})})
    body = upstream.write_request(asked, cold)
    assert (asked.lost, b"temperature" in body) == (("temperature",), False)
    with pytest.raises(InvalidRequest, match="no place for: temperature") as told:
        upstream.write_request(msgspec.structs.replace(asked, lost=(), strict=True), cold)
    assert told.value.param == "temperature"
    assert "0.25" not in told.value.message


def test_what_goes_under_another_name_is_not_lost() -> None:
    to = model(quirks={"rename": {"max_tokens": "max_completion_tokens", "reasoning_effort": "reasoning.effort"}})
    assert lost(chat(max_tokens=5, reasoning_effort="low"), to) == set()
    assert lost(chat(max_tokens=5, max_completion_tokens=6), to) == {"max_tokens"}
    assert lost(chat(reasoning_effort="low", reasoning={"effort": "high"}), to) == {"reasoning_effort"}
    assert lost(chat(reasoning_effort="low", reasoning={"summary": "auto"}), to) == set()


def test_only_what_the_client_said_is_missed() -> None:
    to = model(quirks={"omit": frozenset({"top_k", "seed", "n", "stream_options"})}, parameters={"top_k": 3})
    assert lost(chat(), to) == set()
    assert lost(chat(seed=None, n=1, stream_options={"include_usage": True}), to) == set()
    assert lost(chat(top_k=4), to) == {"top_k"}


def test_fields_of_messages_are_named_where_one_has_them() -> None:
    to = model(quirks={"omit": frozenset({"messages.name"})})
    assert lost(chat(messages=[{"role": "user", "content": 'my "name"'}]), to) == set()
    assert lost(chat(messages=[*HI, {"role": "user", "content": "Hi", "name": "Ann"}]), to) == {"name"}
