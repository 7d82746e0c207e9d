"""The errors of the way out, each made in one place: equal words for all to see, the detail for the log."""

from gateway.errors import (
    Overloaded,
    StaleConnection,
    UpstreamBroken,
    UpstreamConnectTimeout,
    UpstreamFault,
    UpstreamRedirect,
    UpstreamReset,
    UpstreamTimeout,
    UpstreamTlsError,
    UpstreamUnreachable,
)
from gateway.events import Failure

_NO_CONNECTION = "Connection error."
_TOO_LATE = "Request timed out."


def unreachable(detail: str) -> UpstreamFault:
    """No way to the upstream: it refused the connection, or the network did."""
    return _with(UpstreamUnreachable(_NO_CONNECTION), detail)


def not_dialled(detail: str) -> UpstreamFault:
    """Nothing was dialled, and nothing would be a moment later: denied by the guard, a name without an address, a
    request that cannot be sent. Clients are told the same as of a refused connection; only the router makes a
    difference, and goes on with another model.
    """
    error = unreachable(detail)
    error.retryable = False
    return error


def tls_failed(detail: str) -> UpstreamFault:
    """The handshake failed."""
    return _with(UpstreamTlsError(_NO_CONNECTION), detail)


def redirected(status: int) -> UpstreamFault:
    """The upstream pointed elsewhere."""
    return _with(UpstreamRedirect(_NO_CONNECTION), f"the upstream answered with a redirect ({status})")


def stale() -> UpstreamFault:
    """A pooled connection turned out to be dead."""
    return _with(StaleConnection(_NO_CONNECTION), "a pooled connection ended before the first byte")


def cut(error: Exception | None) -> UpstreamFault:
    """The connection ended inside the message."""
    return _with(UpstreamReset(_NO_CONNECTION), f"the connection ended inside the response: {error or 'closed'}")


def connect_timed_out() -> UpstreamFault:
    """No connection in time."""
    return _with(UpstreamConnectTimeout(_TOO_LATE), "no connection in time")


def timed_out(detail: str) -> UpstreamFault:
    """No head, or no more of the body, in time."""
    return _with(UpstreamTimeout(_TOO_LATE), detail)


def not_http(detail: str) -> UpstreamFault:
    """What answered does not speak HTTP, so that nothing was said at all."""
    return _with(UpstreamReset(_NO_CONNECTION), f"the answer has no proper head: {detail}")


def malformed(detail: str) -> UpstreamFault:
    """The response breaks the protocol in its body, or is not in the form that was asked for."""
    failure = Failure(code="upstream_protocol", message="The upstream sent a malformed response.")
    return _with(UpstreamBroken(failure), detail)


def too_large(limit: int) -> UpstreamFault:
    """The body is larger than the caller takes."""
    failure = Failure(code="upstream_protocol", message="The upstream's response is too large.", retryable=False)
    return _with(UpstreamBroken(failure), f"the body has more than {limit} bytes")


def overloaded() -> Overloaded:
    """No connection became free in time."""
    return Overloaded("Too many upstream connections are open.", retry_after=1.0)


def _with(error: UpstreamFault, detail: str) -> UpstreamFault:
    error.detail = detail
    return error
