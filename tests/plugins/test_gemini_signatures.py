"""Thought signatures on their way through every kind of client: back to Gemini unchanged, and to nobody else."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from gemini_streams import ROME, SIGNATURE, STREAMS
from replay import CLIENTS, SdkClient, run

from gateway import ChatRequest, Model, UpstreamDialect
from gateway.testing.canned import Canned
from gateway.wire.chat import CHAT, CHAT_CLIENT
from gateway.wire.messages import MESSAGES, MESSAGES_CLIENT
from gateway.wire.responses import RESPONSES
from gateway_gemini.dialect import GEMINI
from gateway_gemini.turns import UNSIGNED

MODEL = Model(id="1", name="m", model_id="gemini-3-pro-preview", base_url="", provider="gemini")
SDKS = [client for client in CLIENTS if isinstance(client, SdkClient)]
USER = {"role": "user", "content": "Hi"}


def out_of(client: SdkClient, canned: Canned, upstream: UpstreamDialect = GEMINI) -> bytes:
    return run(upstream, client, canned, b"".join(canned.writes)).out


def events(out: bytes) -> Iterator[dict[str, Any]]:
    for line in out.splitlines():
        if line.startswith(b"data: {"):
            yield json.loads(line[6:])


def chat_message(out: bytes) -> dict[str, Any]:
    """As a client keeps it: pieces of text joined, calls by their index, all else as it came."""
    if not out.startswith(b"data:"):
        whole: dict[str, Any] = json.loads(out)["choices"][0]["message"]
        return whole
    message: dict[str, Any] = {"role": "assistant", "content": ""}
    for delta in (choice["delta"] for event in events(out) for choice in event["choices"]):
        message["content"] += delta.get("content") or ""
        for name in ("tool_calls", "reasoning_details"):
            message.setdefault(name, []).extend(delta.get(name, ()))
    return {name: value for name, value in message.items() if value}


def messages_content(out: bytes) -> list[dict[str, Any]]:
    if not out.startswith(b"event:"):
        whole: list[dict[str, Any]] = json.loads(out)["content"]
        return whole
    blocks: dict[int, dict[str, Any]] = {}
    for event in events(out):
        if event["type"] == "content_block_start":
            blocks[event["index"]] = dict(event["content_block"])
        delta, block = event.get("delta", {}), blocks.get(event.get("index", -1), {})
        for name in ("text", "thinking", "signature"):
            if name in delta:
                block[name] += delta[name]
        if "partial_json" in delta:
            block["input"] = json.loads(delta["partial_json"])
    return list(blocks.values())


def responses_output(out: bytes) -> list[dict[str, Any]]:
    if out.startswith(b"event:"):
        *_, last = events(out)
        assert last["type"] == "response.completed"
        done = [event["item"] for event in events(out) if event["type"] == "response.output_item.done"]
        output: list[dict[str, Any]] = last["response"]["output"]
        assert sorted(json.dumps(item) for item in done) == sorted(json.dumps(item) for item in output)
        return output
    whole: list[dict[str, Any]] = json.loads(out)["output"]
    return whole


def next_turn(client: SdkClient, canned: Canned, *, results: bool, upstream: UpstreamDialect = GEMINI) -> ChatRequest:
    """The request with which such a client goes on."""
    out, ask = out_of(client, canned, upstream), {"model": "m", "max_tokens": 9}
    if client.dialect is CHAT_CLIENT:
        message = chat_message(out)
        calls = message.get("tool_calls", [])
        told = [{"role": "tool", "tool_call_id": call["id"], "content": "sunny"} for call in calls]
        body = {**ask, "messages": [USER, message, *(told if results else [USER])]}
    elif client.dialect is MESSAGES_CLIENT:
        content = messages_content(out)
        ids = [block["id"] for block in content if block["type"] == "tool_use"]
        told = [{"type": "tool_result", "tool_use_id": id, "content": "sunny"} for id in ids]
        reply = {"role": "user", "content": told} if results else USER
        body = {**ask, "messages": [USER, {"role": "assistant", "content": content}, reply]}
    else:
        output = responses_output(out)
        ids = [item["call_id"] for item in output if item["type"] == "function_call"]
        told = [{"type": "function_call_output", "call_id": id, "output": "sunny"} for id in ids]
        body = {"model": "m", "store": False, "input": [USER, *output, *(told if results else [USER])]}
    return client.dialect.read_request(json.dumps(body).encode())


def contents(request: ChatRequest, model: Model = MODEL) -> list[dict[str, Any]]:
    written: list[dict[str, Any]] = json.loads(GEMINI.write_request(request, model))["contents"]
    return written


@pytest.mark.parametrize("client", SDKS, ids=lambda client: client.name)
def test_the_signature_of_a_call_comes_back_with_it(client: SdkClient) -> None:
    user, said, results = contents(next_turn(client, STREAMS["parallel_calls"], results=True))
    assert user == {"role": "user", "parts": [{"text": "Hi"}]}
    text, first, second = said["parts"]
    assert text == {"text": "I will look."}
    assert (first["functionCall"]["args"], first["thoughtSignature"]) == (ROME, SIGNATURE)
    assert "thoughtSignature" not in second
    ids = [part["functionCall"]["id"] for part in (first, second)]
    assert len(set(ids)) == 2
    assert [part["functionResponse"] for part in results["parts"]] == [
        {"name": "weather", "id": id, "response": {"result": "sunny"}} for id in ids
    ]


@pytest.mark.parametrize("client", SDKS, ids=lambda client: client.name)
def test_the_signature_of_a_text_comes_back_with_it(client: SdkClient) -> None:
    _, said, _ = contents(next_turn(client, STREAMS["thoughts"], results=False))
    assert said == {"role": "model", "parts": [{"text": "It is 480.", "thoughtSignature": SIGNATURE}]}


@pytest.mark.parametrize("upstream", [CHAT, MESSAGES, RESPONSES], ids=lambda upstream: upstream.name)
@pytest.mark.parametrize("client", SDKS, ids=lambda client: client.name)
@pytest.mark.parametrize("name", ["parallel_calls", "thoughts"])
def test_no_other_maker_is_shown_a_signature(name: str, client: SdkClient, upstream: UpstreamDialect) -> None:
    request = next_turn(client, STREAMS[name], results=name != "thoughts")
    assert SIGNATURE.encode() in json.dumps({k: bytes(v).decode() for k, v in request.fields.items()}).encode()
    sent = upstream.write_request(request, MODEL)
    assert SIGNATURE.encode() not in sent
    assert b"gateway" not in sent


@pytest.mark.parametrize(("model_id", "signs"), [("gemini-3-flash", True), ("gemini-2.5-pro", False)])
def test_calls_of_another_model_have_the_word_for_it_where_one_is_needed(model_id: str, signs: bool) -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    turn = {"role": "assistant", "content": None, "tool_calls": [call, {**call, "id": "d"}]}
    request = CHAT_CLIENT.read_request(json.dumps({"model": "m", "messages": [USER, turn]}).encode())
    model = Model(id="1", name="m", model_id=model_id, base_url="")
    proofs = [part.get("thoughtSignature") for part in contents(request, model)[1]["parts"]]
    assert proofs == [UNSIGNED if signs else None, None]


def test_a_signature_of_another_maker_is_not_shown_to_gemini() -> None:
    thinking = {"type": "thinking", "thinking": "hm", "signature": "EqQBClaude"}
    turn = {"role": "assistant", "content": [thinking, {"type": "text", "text": "x"}]}
    body = {"model": "m", "max_tokens": 9, "messages": [USER, turn, USER]}
    request = MESSAGES_CLIENT.read_request(json.dumps(body).encode())
    assert contents(request)[1] == {"role": "model", "parts": [{"text": "x"}]}


def test_what_came_before_its_proof_was_known_keeps_its_place() -> None:
    """Two proofs in a row: each stands for a part of its own."""
    proofs = [{"type": "thinking", "thinking": "", "signature": f"gateway:gemini.generate:{n}"} for n in "ab"]
    turn = {"role": "assistant", "content": [*proofs, {"type": "text", "text": "x"}]}
    body = {"model": "m", "max_tokens": 9, "messages": [USER, turn, USER]}
    request = MESSAGES_CLIENT.read_request(json.dumps(body).encode())
    assert contents(request)[1]["parts"] == [
        {"text": "", "thoughtSignature": "a"},
        {"text": "x", "thoughtSignature": "b"},
    ]
