"""What Chatbot UI may send, and what it is told when something is wrong."""

import json
from typing import Any

import pytest

from gateway.errors import (
    GatewayError,
    InvalidRequest,
    InvalidUpstreamUrl,
    LookupFailed,
    ModelNotFound,
    Overloaded,
    RequestTooLarge,
    StaleConnection,
    Unauthenticated,
    UpstreamBroken,
    UpstreamConnectTimeout,
    UpstreamError,
    UpstreamRedirect,
    UpstreamTimeout,
    UpstreamTlsError,
    UpstreamUnreachable,
)
from gateway.events import Failure
from gateway.wire.chat import CHAT
from gateway_chatbot_ui.dialect import ChatbotUi

DIALECT = ChatbotUi(not_found="No such model.")
INCORRECT = "Custom API Key is incorrect. Please fix it in your profile settings."


def fields(body: bytes) -> dict[str, bytes]:
    return {name: bytes(raw) for name, raw in DIALECT.read_request(body).fields.items()}


def test_exactly_four_fields_go_upstream_in_the_originals_order_and_as_spelled() -> None:
    body = (
        b'{"other":1,"customModelId":"x","messages": [ {"a":1.0} ],'
        b'"chatSettings":{"temperature":0.50,"prompt":"p","model":"gpt"},"stream":false}'
    )
    assert list(fields(body).items()) == [
        ("model", b'"gpt"'),
        ("messages", b'[ {"a":1.0} ]'),
        ("temperature", b"0.50"),
        ("stream", b"true"),
    ]
    request = DIALECT.read_request(body)
    assert (request.model, request.stream, request.keeps_model) == ("x", True, True)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (b"{}", {"stream": b"true"}),
        (b'{"model":null,"temperature":null}', {"model": b"null", "temperature": b"null", "stream": b"true"}),
        (b'{"model":[1],"temperature":0}', {"model": b"[1]", "temperature": b"0", "stream": b"true"}),
        (rb'{"model":"\ud83c"}', {"model": rb'"\ud83c"', "stream": b"true"}),
    ],
)
def test_absent_fields_stay_absent_and_odd_values_pass(settings: bytes, expected: dict[str, bytes]) -> None:
    assert fields(b'{"chatSettings":' + settings + b"}") == expected


@pytest.mark.parametrize(
    ("given", "printed"),
    [
        (None, "undefined"),
        ("null", "null"),
        ("true", "true"),
        ("false", "false"),
        ("1", "1"),
        ("1.0", "1"),
        ("-0", "0"),
        ("1e21", "1e+21"),
        ("0.1", "0.1"),
        ("1e-7", "1e-7"),
        ("12345678901234567890", "12345678901234567000"),
        ("1e999", "Infinity"),
        ("-1e999", "-Infinity"),
        ('""', ""),
        ('"é\\n"', "é\n"),
        ('"\\ud83c\\udf89 \\ud83c"', "🎉 \ufffd"),
        ("[]", ""),
        ('[1,null,["a",[2]],{}]', "1,,a,2,[object Object]"),
        ('{"a":1}', "[object Object]"),
    ],
)
def test_the_id_is_what_javascript_prints(given: str | None, printed: str) -> None:
    field = "" if given is None else f'"customModelId":{given},'
    assert DIALECT.read_request(f'{{{field}"chatSettings":{{}}}}'.encode()).model == printed


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "is empty"),
        (b"{not json", "not valid JSON"),
        (b"[]", "must be a JSON object"),
        (b"null", "must be a JSON object"),
        (b'"x"', "must be a JSON object"),
        (b"{}", "chatSettings is missing"),
        (b'{"chatSettings":null}', "chatSettings must be an object"),
        (b'{"chatSettings":[]}', "chatSettings must be an object"),
        (b'{"chatSettings":"x"}', "chatSettings must be an object"),
        (b'{"chatSettings":{},"messages":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested deeper"),
        (b'{"chatSettings":{},"messages":"\xff"}', "not valid UTF-8"),
    ],
)
def test_a_bad_request_is_told_what_is_wrong_and_where(body: bytes, words: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        DIALECT.read_request(body)
    status, headers, written = DIALECT.error(refusal.value)
    assert status == 400
    assert words in json.loads(written)["message"]
    assert dict(headers)["content-type"] == "text/plain;charset=UTF-8"


def broken(body: bytes, status: int = 200) -> UpstreamBroken:
    (failure,) = CHAT.read_answer(body, status)
    assert isinstance(failure, Failure)
    return UpstreamBroken(failure)


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (ModelNotFound(), 500, "No such model."),
        (ModelNotFound('invalid input syntax for type uuid: "abc"'), 500, 'invalid input syntax for type uuid: "abc"'),
        (ModelNotFound("No API key found in request"), 500, "No API key found in request"),
        (LookupFailed("the database is away"), 500, "Model lookup failed."),
        (Unauthenticated("Missing key"), 401, "Authentication required."),
        (Unauthenticated("Bad key"), 401, "Authentication required."),
        (UpstreamUnreachable("refused"), 500, "Connection error."),
        (UpstreamTlsError("certificate of example.org expired"), 500, "Connection error."),
        (UpstreamRedirect("to 10.0.0.1"), 500, "Connection error."),
        (StaleConnection("reset"), 500, "Connection error."),
        (UpstreamConnectTimeout("x"), 500, "Connection error."),
        (UpstreamTimeout("x"), 500, "Request timed out."),
        (InvalidUpstreamUrl("x"), 500, "Invalid URL"),
        (UpstreamError(404, b"<html>Not Found</html>"), 404, "404 <html>Not Found</html>"),
        (UpstreamError(304), 500, "304 status code (no body)"),
        (UpstreamError(700, b"x"), 500, "700 x"),
        (broken(b'{"error":{"message":"Overloaded"}}'), 502, "502 Overloaded"),
        (broken(b'{"error":{"message":"Slow down","code":429}}'), 429, "429 Slow down"),
        (broken(b'{"error":{"message":"Incorrect API key provided"}}', 401), 401, INCORRECT),
        (broken(b"<html>proxy</html>"), 502, "502 <html>proxy</html>"),
        (broken(b'{"detail":"no"}'), 502, "502 status code (no body)"),
        (UpstreamBroken(Failure(code="upstream_truncated", message="It ended.")), 502, "502 It ended."),
        (UpstreamBroken(Failure(code="upstream_error", message="m", native="words")), 502, '502 "words"'),
        (RequestTooLarge("Too large."), 413, "Too large."),
        (Overloaded("No room."), 503, "No room."),
        (GatewayError(), 500, "An unexpected error occurred"),
    ],
)  # fmt: skip
def test_failures_are_told_in_the_originals_words(error: GatewayError, status: int, message: str) -> None:
    told, headers, body = DIALECT.error(error)
    assert (told, body) == (status, json.dumps({"message": message}, separators=(",", ":")).encode())
    assert list(headers) == [("content-type", "text/plain;charset=UTF-8")]


def test_refused_callers_all_read_the_same_bytes() -> None:
    assert DIALECT.error(Unauthenticated("expired")) == DIALECT.error(Unauthenticated("unknown"))


@pytest.mark.parametrize(("seconds", "told"), [(0, "0"), (0.2, "1"), (30, "30"), (59.5, "60")])
def test_how_long_to_wait_is_told_in_whole_seconds(seconds: float, told: str) -> None:
    _, headers, _ = DIALECT.error(UpstreamError(429, b"", retry_after=seconds))
    assert dict(headers)["retry-after"] == told


@pytest.mark.parametrize("opening", [b'{"error":', b"["])
def test_a_deep_error_body_is_told_and_not_followed(opening: bytes) -> None:
    closing = b"}" if opening == b'{"error":' else b"]"
    for depth in (900, 100_000):
        status, _, body = DIALECT.error(UpstreamError(400, opening * depth + b"1" + closing * depth))
        assert status == 400
        assert json.loads(body)["message"].startswith("400 ")


def test_the_success_headers_are_the_recorded_ones() -> None:
    headers: Any = dict(DIALECT.headers)
    assert headers == {"content-type": "text/plain; charset=utf-8", "x-experimental-stream-data": "false"}
