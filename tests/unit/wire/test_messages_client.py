"""What a messages client may ask, and how it is refused."""

import json
from typing import Any

import pytest

from gateway.errors import (
    GatewayError,
    InvalidRequest,
    ModelNotFound,
    Overloaded,
    RateLimited,
    RequestTooLarge,
    Unauthenticated,
    UpstreamBroken,
    UpstreamError,
    UpstreamTimeout,
)
from gateway.events import Failure
from gateway.wire.messages import MESSAGES_CLIENT

ASKED: dict[str, Any] = {"model": "m", "max_tokens": 9, "messages": []}


def asked(**fields: Any) -> bytes:
    return json.dumps({name: v for name, v in {**ASKED, **fields}.items() if v is not ...}).encode()


def test_a_request_keeps_its_bytes() -> None:
    body = b'{"model":"claude-x", "max_tokens":0, "messages": [ ],"stream":true,"temperature":1.50,"x":"\\ud83d"}'
    request = MESSAGES_CLIENT.read_request(body)
    assert (request.dialect, request.model, request.stream, request.choices) == ("messages", "claude-x", True, 1)
    assert bytes(request.fields["temperature"]) == b"1.50"
    assert request.prompt.max_tokens == 0


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (asked(model=...), "model"),
        (asked(model=""), "model"),
        (asked(messages={}), "messages"),
        (asked(messages=...), "messages"),
        (asked(max_tokens=...), "max_tokens"),
        (asked(max_tokens=-1), "max_tokens"),
        (asked(max_tokens=True), "max_tokens"),
        (asked(max_tokens=1.5), "max_tokens"),
        (asked(stream="yes"), "stream"),
        (b"[]", None),
        (b'{"model":', None),
    ],
)
def test_what_cannot_be_asked_is_named(body: bytes, param: str | None) -> None:
    with pytest.raises(InvalidRequest) as refused:
        MESSAGES_CLIENT.read_request(body)
    assert refused.value.param == param


def native(status: int, kind: str) -> UpstreamError:
    error = {"type": kind, "message": "As the upstream says."}
    return UpstreamError(status, json.dumps({"type": "error", "error": error}).encode())


@pytest.mark.parametrize(
    ("error", "status", "kind", "message"),
    [
        (InvalidRequest("No."), 400, "invalid_request_error", "No."),
        (Unauthenticated("Who?"), 401, "authentication_error", "Who?"),
        (ModelNotFound("Where?"), 404, "not_found_error", "Where?"),
        (RequestTooLarge("Big."), 413, "request_too_large", "Big."),
        (RateLimited("Slow."), 429, "rate_limit_error", "Slow."),
        (Overloaded("Full."), 503, "overloaded_error", "Full."),
        (UpstreamTimeout("Late."), 504, "timeout_error", "Late."),
        (GatewayError("Oh."), 500, "api_error", "Oh."),
        (native(529, "overloaded_error"), 529, "overloaded_error", "As the upstream says."),
        (native(400, "invalid_request_error"), 400, "invalid_request_error", "As the upstream says."),
        (native(402, "billing_error"), 402, "billing_error", "As the upstream says."),
        (native(522, "api_error"), 502, "api_error", "As the upstream says."),
        (UpstreamError(422, b'{"detail":"odd"}'), 422, "invalid_request_error", "odd"),
        (
            UpstreamBroken(Failure(code="upstream_error", message="Overloaded", status=529)),
            529,
            "overloaded_error",
            "Overloaded",
        ),
    ],
)
def test_a_refusal_has_the_type_of_its_status(error: GatewayError, status: int, kind: str, message: str) -> None:
    told, headers, body = MESSAGES_CLIENT.error(error)
    said = json.loads(body)
    assert (told, said["type"], said["error"]["type"], said["error"]["message"]) == (status, "error", kind, message)
    assert ("content-type", "application/json") in headers


@pytest.mark.parametrize("status", [401, 403])
def test_an_upstream_that_refuses_the_gateways_key_is_the_operators_to_mend(status: int) -> None:
    told, headers, body = MESSAGES_CLIENT.error(native(status, "authentication_error"))
    assert told == 502
    assert ("x-should-retry", "false") in headers
    assert "As the upstream says" not in body.decode()
    assert json.loads(body)["error"]["details"] == {"error_code": "upstream_authentication_error"}


def test_a_limit_says_when_to_come_again() -> None:
    _, headers, _ = MESSAGES_CLIENT.error(RateLimited("Slow.", retry_after=1.5))
    assert {("retry-after", "2"), ("retry-after-ms", "1500")} <= set(headers)
