"""What an upstream's error says, whoever wrote it."""

import json
from typing import Any

import pytest

from gateway.errors import UpstreamError
from gateway.events import Failure
from gateway.wire.chat import CHAT, CHAT_CLIENT, repair_for
from gateway.wire.sse import Sse

NOT_PERMITTED = "Extra inputs are not permitted"


def forbidden(*loc: Any) -> dict[str, Any]:
    return {"type": "extra_forbidden", "loc": ["body", *loc], "msg": NOT_PERMITTED, "input": 1}


def mistral(*found: Any) -> dict[str, Any]:
    return {"object": "error", "message": {"detail": [*found]}, "type": "invalid_request_error", "code": None}


@pytest.mark.parametrize(
    ("body", "message", "code", "param"),
    [
        ({"detail": "Model not found"}, "Model not found", "upstream_error", None),
        (
            {"detail": [{"loc": ["body", "messages", 0, "role"], "msg": "Field required", "type": "missing"}]},
            "messages.0.role: Field required",
            "upstream_error",
            "messages.0.role",
        ),
        ({"detail": {"error": "busy"}}, '{"error":"busy"}', "upstream_error", None),
        (mistral(forbidden("seed")), f"seed: {NOT_PERMITTED}", "upstream_error", "seed"),
        ({"object": "error", "message": "too long", "type": "BadRequest", "code": 400}, "too long", 400, None),
        ({"error": {"message": "no key", "code": 401, "param": "None"}}, "no key", 401, "None"),
        ({"error": "Incorrect key", "code": "invalid"}, "Incorrect key", "invalid", None),
        ({"error": "overloaded", "error_type": "overloaded"}, "overloaded", "upstream_error", None),
        ([{"error": {"code": 400, "message": "bad name", "status": "INVALID"}}], "bad name", 400, None),
        ({"errors": [{"message": "nope", "code": 7}]}, "nope", 7, None),
        ({"statusCode": 401, "message": "no subscription"}, "no subscription", "upstream_error", None),
        ({"error": {}}, "The upstream answered 422.", "upstream_error", None),
        ([], "The upstream answered 422.", "upstream_error", None),
        ({"error": {"message": {"a": 1}}}, '{"a":1}', "upstream_error", None),
    ],
)
def test_an_error_body_of_any_shape_is_told_in_words(body: Any, message: str, code: Any, param: Any) -> None:
    status, _, told = CHAT_CLIENT.error(UpstreamError(422, json.dumps(body).encode()))
    error = json.loads(told)["error"]
    assert (status, error["message"], error["code"], error["param"]) == (422, message, code, param)


@pytest.mark.parametrize("body", [b"Internal Server Error", b"<html>", b"[" * 70000, b'"text"', b"\xff"])
def test_a_body_without_words_leaves_the_status(body: bytes) -> None:
    error = json.loads(CHAT_CLIENT.error(UpstreamError(500, body))[2])["error"]
    assert error["message"] == "The upstream answered 500."


@pytest.mark.parametrize(
    ("frame", "status", "message"),
    [
        # OpenRouter, in front of a finish reason of its own
        (
            b'data: {"id":"g","error":{"code":402,"message":"No credits"},"choices":[{"delta":{}}]}\n\n',
            402,
            "No credits",
        ),
        # LiteLLM spells its codes
        (b'data: {"error":{"message":"slow down","type":"None","code":"429"}}\n\n', 429, "slow down"),
        # Groq names the event
        (b'event: error\ndata: {"error":{"message":"over","type":"server_error"}}\n\n', 500, "over"),
        (b'event: error\ndata: {"message":"gone"}\n\n', 502, "gone"),
        # SGLang and older vLLM
        (b'data: {"object":"error","message":"too long","type":"BadRequestError","code":400}\n\n', 400, "too long"),
        # FastAPI
        (b'data: {"detail":"Model crashed"}\n\n', 502, "Model crashed"),
        (b'data: {"error":{"message":"m","type":"overloaded_error"}}\n\n', 529, "m"),
        (b'data: {"error":{"message":"long","code":"context_length_exceeded"}}\n\n', 400, "long"),
    ],
)
def test_an_error_inside_a_stream_is_a_failure_with_its_status(frame: bytes, status: int, message: str) -> None:
    [one] = Sse().feed(frame)
    reader = CHAT.reader()
    for event in (reader.read(one)[-1], reader.skim(one)[-1]):
        assert isinstance(event, Failure)
        assert (event.status, event.message) == (status, message)


@pytest.mark.parametrize(
    "frame",
    [
        b"data: {}\n\n",
        b'data: {"id":"c","detail":"low","choices":[]}\n\n',
        b'data: {"object":"chat.completion.chunk"}\n\n',
    ],
)
def test_a_frame_that_says_nothing_is_no_error(frame: bytes) -> None:
    [one] = Sse().feed(frame)
    assert not any(isinstance(event, Failure) for event in CHAT.reader().read(one))


def openai_says(message: str, param: str | None = None, code: str | None = None) -> dict[str, Any]:
    return {"error": {"message": message, "type": "invalid_request_error", "param": param, "code": code}}


INSTEAD = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead."
COLD = "Unsupported value: 'temperature' does not support 0.2 with this model. Only the default (1) value is supported."
VARIANT = "messages[0].role: unknown variant `developer`, expected one of `system`, `user`, `assistant`, `tool`"
GROQ_NAME = (
    "'messages.0' : for 'role:user' the following must be satisfied[('messages.0' : property 'name' is unsupported)]"
)


@pytest.mark.parametrize(
    ("status", "body", "quirk"),
    [
        (400, openai_says(INSTEAD, "max_tokens", "unsupported_parameter"), "rename=max_tokens:max_completion_tokens"),
        (400, openai_says(COLD, "temperature", "unsupported_value"), "omit=temperature"),
        (400, openai_says("Unrecognized request argument supplied: stream_options"), "omit=stream_options"),
        (400, openai_says("Argument not supported on this model: presencePenalty"), "omit=presence_penalty"),
        (400, {"error": "Model grok-4 does not support parameter reasoningEffort."}, "omit=reasoning_effort"),
        (400, {"error": f"{NOT_PERMITTED}, field: 'stream_options'"}, "omit=stream_options"),
        (422, mistral(forbidden("stream_options", "include_usage")), "omit=stream_options"),
        (422, mistral(forbidden("max_completion_tokens")), "rename=max_completion_tokens:max_tokens"),
        (422, mistral(forbidden("messages", 1, "assistant", "reasoning_content")), "omit=messages.reasoning_content"),
        (422, {"detail": [forbidden("logprobs")]}, "omit=logprobs"),
        (400, openai_says(GROQ_NAME), "omit=messages.name"),
        (422, {"error": {"message": VARIANT}}, "roles=developer:system"),
        (400, openai_says("role 'developer' is not supported"), "roles=developer:system"),
        (400, openai_says("This response_format type is unavailable now"), "response_format=json"),
        (400, openai_says("'n' is not supported by this model"), "omit=n"),
        (400, openai_says("This model's maximum context length is 8192 tokens"), None),
        (400, openai_says("Unsupported file type: your 'user' uploaded image/gif", "messages"), None),
        (401, openai_says(COLD, "temperature", "unsupported_value"), None),
        (400, "temperature", None),
    ],
)
def test_the_words_of_a_refusal_tell_the_quirk_that_repairs_it(status: int, body: Any, quirk: str | None) -> None:
    assert repair_for(status, json.dumps(body).encode()) == quirk
