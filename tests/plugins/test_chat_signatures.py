"""Proofs of chat upstreams (OpenRouter's details, Google's signatures) on their way through every kind of client."""

import json
from typing import Any

import msgspec
import pytest
from replay import SdkClient, replayed
from test_gemini_signatures import MODEL, SDKS, USER, next_turn

from gateway import UpstreamDialect
from gateway.events import End, Event, Reasoning, Text
from gateway.prompt import Prompt
from gateway.testing.canned import Canned, said
from gateway.wire.chat import CHAT, CHAT_CLIENT
from gateway.wire.chat.prompt import CHAT_PROMPTS
from gateway.wire.messages import MESSAGES
from gateway.wire.responses import RESPONSES
from gateway_gemini.dialect import GEMINI

CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
CLAUDE = {"format": "anthropic-claude-v1", "index": 0}
TEXT = {"type": "reasoning.text", "text": "Let me sée.", "signature": "c2lnbmVk", **CLAUDE}
BLOB = {"type": "reasoning.encrypted", "data": "YmxvYg==", "id": "e1", "format": "anthropic-claude-v1", "index": 1}
SUMMARY = {"type": "reasoning.summary", "summary": "So, then.", "format": "openai-responses-v1", "index": 0}
KEPT = {"type": "reasoning.encrypted", "data": "Z0FBQQ==", "id": "rs_1", "format": "openai-responses-v1", "index": 0}


def chunk(finish: str | None = None, **delta: Any) -> bytes:
    value = {"id": "c", "model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def canned(*writes: bytes) -> Canned:
    frames = CHAT.framing().feed(b"".join(writes))
    reader = CHAT.reader()
    return Canned(writes=writes, says=said([event for frame in frames for event in reader.read(frame)]))


def thinking(*details: dict[str, Any]) -> list[bytes]:
    """As OpenRouter streams them: each text twice and in pieces, the signature at its end."""
    out = []
    for detail in details:
        name = {"reasoning.text": "text", "reasoning.summary": "summary"}.get(detail["type"])
        bare = {k: v for k, v in detail.items() if k not in (name, "signature")}
        if name is None:
            out.append(chunk(content="", reasoning=None, reasoning_details=[detail]))
            continue
        for piece in (detail[name][:5], detail[name][5:]):
            out.append(chunk(content="", reasoning=piece, reasoning_details=[{**bare, name: piece}]))
        if "signature" in detail:
            proof = {**bare, "text": None, "signature": detail["signature"]}
            out.append(chunk(content="", reasoning=None, reasoning_details=[proof]))
    return out


ENDING = (chunk("tool_calls"), b"data: [DONE]\n\n")
CALLED = chunk(tool_calls=[{"index": 0, **CALL}])
SPOKEN = chunk(content="I will.")
STREAMS = {
    "claude": (canned(*thinking(TEXT, BLOB), SPOKEN, CALLED, *ENDING), [TEXT, BLOB]),
    "openai": (canned(*thinking(SUMMARY, KEPT), CALLED, *ENDING), [SUMMARY, KEPT]),
    "interleaved": (canned(*thinking(TEXT), SPOKEN, *thinking(BLOB), CALLED, *ENDING), [TEXT, BLOB]),
    "encrypted": (canned(*thinking(BLOB), SPOKEN, CALLED, *ENDING), [BLOB]),
}
SIGNED = {**CALL, "extra_content": {"google": {"thought_signature": "Z29vZ2xl"}}}
GOOGLE = canned(
    SPOKEN,
    chunk(tool_calls=[{"index": 0, **SIGNED}, {"index": 1, **CALL, "id": "c2"}]),
    *ENDING,
)


def merged(details: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """As a chat client joins what it was streamed."""
    out: list[dict[str, Any]] = []
    for one in details:
        detail = {k: v for k, v in one.items() if v is not None}
        if out and detail["type"] != "reasoning.encrypted" and out[-1]["type"] == detail["type"]:
            texts = {k: out[-1].get(k, "") + detail[k] for k in ("text", "summary") if k in detail}
            out[-1] |= detail | texts
        else:
            out.append(detail)
    return out


def sent(client: SdkClient, stream: Canned, upstream: UpstreamDialect = CHAT) -> bytes:
    return upstream.write_request(next_turn(client, stream, results=True, upstream=CHAT), MODEL)


@pytest.mark.parametrize("client", SDKS, ids=lambda client: client.name)
@pytest.mark.parametrize("name", STREAMS)
def test_details_go_back_as_they_came(name: str, client: SdkClient) -> None:
    stream, details = STREAMS[name]
    _, turn, _ = json.loads(sent(client, stream))["messages"]
    assert merged(turn["reasoning_details"]) == details
    assert turn["tool_calls"][0]["id"] == "c1"
    assert stream.says.reasoning == "".join(d.get("text", "") + d.get("summary", "") for d in details)


@pytest.mark.parametrize("client", SDKS, ids=lambda client: client.name)
def test_the_signature_of_a_call_goes_back_with_it(client: SdkClient) -> None:
    _, turn, *_ = json.loads(sent(client, GOOGLE))["messages"]
    calls = [{name: value for name, value in call.items() if name != "index"} for call in turn["tool_calls"]]
    assert [call.get("extra_content") for call in calls] == [SIGNED["extra_content"], None]
    assert "reasoning_details" not in turn
    assert "reasoning_content" not in turn


@pytest.mark.parametrize("upstream", [MESSAGES, RESPONSES, GEMINI], ids=lambda upstream: upstream.name)
@pytest.mark.parametrize("client", SDKS, ids=lambda client: client.name)
def test_no_other_maker_is_shown_them(client: SdkClient, upstream: UpstreamDialect) -> None:
    for stream, _ in STREAMS.values():
        out = sent(client, stream, upstream)
        assert not any(proof in out for proof in (b"c2lnbmVk", b"YmxvYg==", b"Z0FBQQ==", b"gateway"))


def test_streams_with_proofs_may_be_cut_anywhere() -> None:
    for stream in (STREAMS["interleaved"][0], GOOGLE):
        assert replayed(CHAT, stream)


def whole(**message: Any) -> bytes:
    choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": "tool_calls"}
    return json.dumps({"id": "c", "model": "m", "choices": [choice]}).encode()


def test_a_whole_answer_says_the_same_as_its_stream() -> None:
    body = whole(content="I will.", reasoning=TEXT["text"], reasoning_details=[TEXT, BLOB], tool_calls=[SIGNED])
    events = CHAT.read_answer(body, 200)
    stream = [*thinking(TEXT, BLOB), SPOKEN, chunk(tool_calls=[{"index": 0, **SIGNED}]), *ENDING]
    reader = CHAT.reader()
    streamed = [event for frame in CHAT.framing().feed(b"".join(stream)) for event in reader.read(frame)]
    assert said(events) == said(streamed)
    assert proofs(events) == proofs(streamed)
    assert [event.signature for event in events if hasattr(event, "signature")][-1] == "Z29vZ2xl"


def proofs(events: list[Event]) -> list[Any]:
    return [json.loads(event.signature) for event in events if isinstance(event, Reasoning) and event.signature]


def test_thinking_without_details_has_no_proof() -> None:
    reader = CHAT.reader()
    frames = CHAT.framing().feed(chunk(reasoning_content="hm") + SPOKEN + b"data: [DONE]\n\n")
    _, *events, end = [event for frame in frames for event in reader.read(frame)]
    assert [type(event) for event in events] == [Reasoning, Text]
    assert isinstance(end, End)
    assert not proofs(events)


@pytest.mark.parametrize("said", [b"s.", b"see, you."])
def test_details_whose_text_a_client_changed_are_not_sent(said: bytes) -> None:
    client = next(client for client in SDKS if client.name == "messages")
    request = next_turn(client, STREAMS["claude"][0], results=True, upstream=CHAT)
    before = bytes(request.fields["messages"])
    changed = before.replace(b"s\\u00e9e.", said)
    assert changed != before
    _, turn, _ = json.loads(CHAT.write_request(request.with_fields(messages=msgspec.Raw(changed)), MODEL))["messages"]
    assert turn["reasoning_content"] == "Let me " + said.decode()
    assert "reasoning_details" not in turn


def test_details_of_a_changed_prompt_stay_whole() -> None:
    turn = {"role": "assistant", "content": "x", "reasoning_details": [SUMMARY, KEPT, {**BLOB, "format": "messages"}]}
    request = CHAT_CLIENT.read_request(json.dumps({"model": "m", "messages": [USER, turn]}).encode())
    written = CHAT_PROMPTS.write(request.prompt, Prompt(), {})
    _, again = json.loads(bytes(written.fields["messages"] or b""))
    assert again["reasoning_details"][:2] == [SUMMARY, KEPT]
    assert again["reasoning_details"][2] == {"type": "reasoning.encrypted", "data": BLOB["data"], "format": "messages"}


def test_a_patched_chunk_does_not_say_in_its_details_what_was_taken_out() -> None:
    (frame,) = CHAT.framing().feed(thinking(TEXT)[0])
    reader = CHAT.reader()
    writer: Any = CHAT_CLIENT.writer(CHAT_CLIENT.read_request(b'{"model":"m","messages":[],"stream":true}'), "chat")
    events = reader.read(frame)
    kept = [msgspec.structs.replace(e, text="***") if isinstance(e, Reasoning) else e for e in events]
    assert b"Let m" not in writer.patch(frame, kept)
    assert b"Let m" in writer.patch(frame, events)
