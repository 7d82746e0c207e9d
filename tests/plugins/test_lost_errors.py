"""Whether a tool failed is told to an upstream that can be told so, else named as lost."""

import json
from typing import Any

import msgspec
import pytest

from gateway import ChatRequest, InvalidRequest, Model
from gateway.wire.chat import CHAT
from gateway.wire.messages import MESSAGES_CLIENT
from gateway.wire.responses import RESPONSES
from gateway_bedrock.dialect import CONVERSE
from gateway_cohere.dialect import COHERE
from gateway_gemini.dialect import GEMINI
from gateway_ollama.dialect import OLLAMA

MODEL = Model(id="1", name="m", model_id="up", base_url="")
CALL = {"type": "tool_use", "id": "a", "name": "f", "input": {}}


def asked(*, failed: bool) -> ChatRequest:
    result = {"type": "tool_result", "tool_use_id": "a", "content": "x", "is_error": failed}
    turns = [("user", "?"), ("assistant", [CALL]), ("user", [result])]
    said = [{"role": role, "content": content} for role, content in turns]
    return MESSAGES_CLIENT.read_request(json.dumps({"model": "m", "max_tokens": 9, "messages": said}).encode())


@pytest.mark.parametrize("upstream", [CHAT, RESPONSES, OLLAMA, COHERE], ids=lambda one: one.name)
def test_that_a_tool_failed_is_named_where_it_cannot_be_told(upstream: Any) -> None:
    request, fine = asked(failed=True), asked(failed=False)
    upstream.write_request(request, MODEL)
    upstream.write_request(fine, MODEL)
    assert (request.lost, fine.lost) == (("is_error",), ())
    with pytest.raises(InvalidRequest, match="is_error"):
        upstream.write_request(msgspec.structs.replace(asked(failed=True), strict=True), MODEL)


@pytest.mark.parametrize("upstream", [CONVERSE, GEMINI], ids=lambda one: one.name)
def test_that_a_tool_failed_is_told(upstream: Any) -> None:
    request = asked(failed=True)
    assert b'"error"' in upstream.write_request(request, MODEL)
    assert request.lost == ()
