"""The mapper of the SDK's exceptions: total, and importing nothing to say no."""

import subprocess
import sys
import time
from email.utils import formatdate

import httpx2
import openai
import pytest
from loopback_upstream import attempt, model

from gateway import GatewayError, UpstreamError, UpstreamFault, UpstreamTimeout, UpstreamUnreachable
from gateway.errors import (
    InvalidUpstreamUrl,
    StaleConnection,
    UpstreamConnectTimeout,
    UpstreamRedirect,
    UpstreamReset,
    UpstreamTlsError,
)
from gateway.wire.retry import retry_after
from gateway_openai.errors import OpenAIErrorMapper

REQUEST = httpx2.Request("POST", "http://upstream/v1/chat/completions")


def mapped(error: Exception) -> GatewayError | None:
    return OpenAIErrorMapper().map(error, attempt(model("http://upstream/v1")))


def status_error(status: int, **headers: str) -> openai.APIStatusError:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = httpx2.Response(status, headers=named, content=b'{"error":"x"}', request=REQUEST)
    return openai.APIStatusError("no", response=answer, body=None)


@pytest.mark.parametrize(("status", "again"), [(400, False), (408, True), (409, True), (429, True), (500, True)])
def test_status_says_whether_to_try_again(status: int, again: bool) -> None:
    error = mapped(status_error(status))
    assert isinstance(error, UpstreamError)
    assert (error.status, error.retryable, error.body, error.provider) == (status, again, b'{"error":"x"}', "openai")


@pytest.mark.parametrize(("status", "said", "again"), [(400, "true", True), (500, "false", False), (500, "?", True)])
def test_upstreams_own_word_about_trying_again_counts_more(status: int, said: str, again: bool) -> None:
    error = mapped(status_error(status, x_should_retry=said))
    assert error is not None
    assert error.retryable is again


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry_after": "3"}, 3.0),
        ({"retry_after": " 1.5 "}, 1.5),
        ({"retry_after_ms": "250", "retry_after": "3"}, 0.25),
        ({"retry_after_ms": "soon", "retry_after": "3"}, 3.0),
        ({"retry_after": "-1"}, None),
        ({"retry_after": "nan"}, None),
        ({"retry_after": "1_000"}, None),
        ({"retry_after": "9" * 400}, None),
        ({"retry_after": "inf"}, None),
        ({"retry_after": "Wed, 21 Oct 2015 07:28:00 GMT"}, None),
        ({"retry_after": "Wed, 99 Oct 99999 07:28:00 GMT"}, None),
    ],
)
def test_retry_after_is_read_in_every_spelling(headers: dict[str, str], seconds: float | None) -> None:
    error = mapped(status_error(429, **headers))
    assert error is not None
    assert error.retry_after == seconds


def test_retry_after_may_be_a_date() -> None:
    seconds = retry_after([("retry-after", formatdate(time.time() + 3600, usegmt=True))])
    assert seconds is not None
    assert 3000 < seconds <= 3600


@pytest.mark.parametrize(
    "cause", [StaleConnection("x"), UpstreamRedirect("x"), UpstreamTlsError("x"), InvalidUpstreamUrl("x")]
)
def test_egress_error_under_the_sdks_is_kept(cause: GatewayError) -> None:
    between = httpx2.ConnectError("x")
    between.__cause__ = cause
    error = openai.APIConnectionError(request=REQUEST)
    error.__cause__ = between
    assert mapped(error) is cause


def test_ring_of_causes_ends() -> None:
    error, other = openai.APIConnectionError(request=REQUEST), ValueError()
    error.__cause__, other.__cause__ = other, error
    assert type(mapped(error)) is UpstreamUnreachable


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (openai.APIConnectionError(request=REQUEST), UpstreamUnreachable),
        (openai.APITimeoutError(request=REQUEST), UpstreamTimeout),
        (openai.OpenAIError("missing credentials"), UpstreamFault),
        (openai.APIError("in the stream", REQUEST, body=None), UpstreamFault),
        (httpx2.ConnectError("x"), UpstreamUnreachable),
        (httpx2.ConnectTimeout("x"), UpstreamConnectTimeout),
        (httpx2.ReadTimeout("x"), UpstreamTimeout),
        (httpx2.PoolTimeout("x"), UpstreamTimeout),
        (httpx2.ReadError("x"), UpstreamReset),
        (httpx2.RemoteProtocolError("x"), UpstreamReset),
        (httpx2.TooManyRedirects("x"), UpstreamRedirect),
        (httpx2.InvalidURL("x"), InvalidUpstreamUrl),
        (httpx2.UnsupportedProtocol("x"), UpstreamUnreachable),
        (UnicodeEncodeError("ascii", "ключ", 0, 1, "x"), UpstreamUnreachable),
    ],
)
def test_each_kind_of_failure_has_its_place_in_the_tree(error: Exception, kind: type[GatewayError]) -> None:
    assert type(mapped(error)) is kind


def test_connect_timeout_under_the_sdks_timeout_is_told_apart() -> None:
    error = openai.APITimeoutError(request=REQUEST)
    error.__cause__ = httpx2.ConnectTimeout("x")
    assert type(mapped(error)) is UpstreamConnectTimeout


def test_redirect_status_is_a_redirect() -> None:
    assert type(mapped(status_error(307))) is UpstreamRedirect


def test_body_that_nobody_read_is_empty() -> None:
    class Unread(httpx2.AsyncByteStream):
        pass

    answer = httpx2.Response(500, stream=Unread(), request=REQUEST)
    error = mapped(httpx2.HTTPStatusError("x", request=REQUEST, response=answer))
    assert isinstance(error, UpstreamError)
    assert (error.status, error.body) == (500, b"")


@pytest.mark.parametrize("broken", [None, object(), "text"])
def test_exception_without_a_usable_response_is_still_mapped(broken: object) -> None:
    error = status_error(500)
    error.response = broken  # type: ignore[assignment]
    assert type(mapped(error)) is UpstreamFault


@pytest.mark.parametrize("error", [ValueError("x"), KeyError("x"), OSError("x"), UpstreamTimeout("x")])
def test_strangers_are_left_to_the_next_mapper(error: Exception) -> None:
    assert mapped(error) is None


def test_unicode_errors_of_other_providers_are_theirs() -> None:
    other = attempt(model("http://upstream/v1", provider="other"))
    error = UnicodeEncodeError("ascii", "é", 0, 1, "x")
    assert OpenAIErrorMapper().map(error, other) is None
    assert OpenAIErrorMapper().map(error, None) is None


def test_messages_never_quote_the_upstream() -> None:
    error = mapped(openai.APIError("sk-canary-0123456789", REQUEST, body=None))
    assert error is not None
    assert "canary" not in error.message


def test_saying_no_imports_nothing() -> None:
    program = (
        "import sys, gateway_openai\n"
        "from gateway_openai.errors import OpenAIErrorMapper\n"
        "assert OpenAIErrorMapper().map(ValueError(), None) is None\n"
        "print(sorted({'openai', 'httpx2'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
