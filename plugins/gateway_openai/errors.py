"""The mapper of the openai SDK's exceptions, and of those of httpx2 under it, into the gateway's tree."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from gateway import (
    Attempt,
    ErrorMapper,
    GatewayError,
    UpstreamError,
    UpstreamFault,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from gateway.errors import InvalidUpstreamUrl, UpstreamConnectTimeout, UpstreamRedirect, UpstreamReset
from gateway.wire.chat import advice
from gateway.wire.retry import retry_after, retryable

_NO_ANSWER: Final = "Connection error."
_TIMED_OUT: Final = "Request timed out."


class OpenAIErrorMapper:
    """Knows exceptions by the names of their classes, so that asking it never imports the SDK."""

    def __init__(self, providers: frozenset[str] = frozenset({"openai"})) -> None:
        self._providers = providers

    def map(self, error: Exception, attempt: Attempt | None) -> GatewayError | None:
        """The gateway's error for an exception of the SDK or of httpx2; None for any other."""
        mapped = _mapped(error)
        if mapped is None and isinstance(error, UnicodeError) and attempt and attempt.model.provider in self._providers:
            mapped = UpstreamUnreachable(_NO_ANSWER)  # a key or URL that no header can hold
            mapped.retryable = False
        if mapped is not None and attempt is not None:
            mapped.provider = attempt.model.provider
        return mapped


def _mapped(error: Exception) -> GatewayError | None:
    openai, httpx2 = _names(error, "openai"), _names(error, "httpx2")
    if "APIStatusError" in openai or "HTTPStatusError" in httpx2:
        return _answered(error)
    if "APIConnectionError" in openai or "RequestError" in httpx2:
        return _unanswered(error)
    if "InvalidURL" in httpx2:
        return InvalidUpstreamUrl("Invalid URL")
    if openai or httpx2:
        return UpstreamFault("The upstream's answer could not be understood.")
    return None


def _answered(error: Exception) -> GatewayError:
    """An answer with an error status, its body and headers as they came."""
    response: Any = getattr(error, "response", None)
    try:
        status = int(response.status_code)
        headers = [(name.lower(), value) for name, value in response.headers.multi_items()]
        body = _body(response)
    except (AttributeError, TypeError, ValueError):  # made by hand, without a whole response
        return UpstreamFault("The upstream answered with an error.")
    if 300 <= status < 400:
        return UpstreamRedirect(_NO_ANSWER)
    mapped = UpstreamError(
        status, body, headers, retry_after=retry_after(headers), retryable=retryable(status, headers)
    )
    mapped.detail = advice(status, body)
    return mapped


def _body(response: Any) -> bytes:
    try:
        return bytes(response.content)
    except RuntimeError:  # a stream nobody has read
        return b""


def _unanswered(error: Exception) -> GatewayError:
    """No answer: egress's own error where it is the cause, else by the kind of exception."""
    names: set[str] = set()
    for cause in _chain(error):
        if isinstance(cause, GatewayError):
            return cause
        names |= _names(cause, "openai") | _names(cause, "httpx2")
    if "ConnectTimeout" in names:
        return UpstreamConnectTimeout(_TIMED_OUT)
    if names & {"APITimeoutError", "TimeoutException"}:
        return UpstreamTimeout(_TIMED_OUT)
    if "TooManyRedirects" in names:
        return UpstreamRedirect(_NO_ANSWER)
    if names & {"ReadError", "RemoteProtocolError"}:
        return UpstreamReset(_NO_ANSWER)
    return UpstreamUnreachable(_NO_ANSWER)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The exception and its causes; bounded, because a chain can be tied into a ring."""
    cause: BaseException | None = error
    for _ in range(8):
        if cause is None:
            return
        yield cause
        cause = cause.__cause__


def _names(error: BaseException, package: str) -> set[str]:
    """The names of the exception's classes that come from that package."""
    return {kind.__name__ for kind in type(error).__mro__ if kind.__module__.partition(".")[0] == package}


if TYPE_CHECKING:
    _: type[ErrorMapper] = OpenAIErrorMapper
