"""Every failure the gateway can answer with.

    GatewayError                      500  internal_error
    ├── InvalidRequest                400  invalid_request
    │   ├── AmbiguousCredentials      400  ambiguous_credentials
    │   ├── RequestTooLarge           413  request_too_large
    │   └── RequestTimeout            408  request_timeout
    ├── Unauthenticated               401  invalid_api_key
    ├── PermissionDenied              403  insufficient_scope
    ├── RateLimited                   429  rate_limit_exceeded
    ├── ModelNotFound                 404  model_not_found
    ├── UnknownUrl                    404  unknown_url
    ├── NotServed                     404  not_served_by_provider
    ├── LookupFailed                  500  lookup_failed
    ├── PluginError                   503  plugin_error
    ├── Overloaded                    503  overloaded
    ├── ShuttingDown                  503  server_shutting_down
    └── UpstreamFault                 502  upstream_error
        ├── UpstreamError             the upstream's own status, body and headers
        ├── ModelMisconfigured        502  model_misconfigured (its operator has to repair it)
        ├── InvalidUpstreamUrl        502  upstream_invalid_url
        ├── UpstreamUnreachable       502  upstream_unreachable (refused, no such host, denied by the guard)
        │   ├── UpstreamTlsError      502  upstream_tls
        │   ├── UpstreamRedirect      502  upstream_redirect
        │   └── UpstreamReset         502  upstream_disconnected (the HTTP message was not complete)
        │       └── StaleConnection   502  a pooled connection died before the first response byte
        ├── UpstreamTimeout           504  timeout
        │   └── UpstreamConnectTimeout 504 timeout (no connection in time)
        └── UpstreamBroken            502  the stream failed before its first content

`retryable` says whether the router may try again before the first content went out (spec: retry policy).
Only error mappers turn foreign exceptions into this tree; the client's dialect turns the tree into bytes.
"""

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from gateway.events import Failure

Headers = Sequence[tuple[str, str]]


class GatewayError(Exception):
    """Base of all answers that are failures; `message` is safe to show to the client."""

    status_code: ClassVar[int] = 500
    type: ClassVar[str] = "gateway_error"
    code: str = "internal_error"
    retryable: bool = False
    log_level: ClassVar[int] = logging.ERROR

    def __init__(
        self,
        message: str = "",
        *,
        status: int | None = None,
        param: str | None = None,
        provider: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = self.status_code if status is None else status
        self.param = param
        self.provider = provider
        self.retry_after = retry_after
        """Seconds after which another try may succeed; None when nobody said."""


class InvalidRequest(GatewayError):
    """The client's request cannot be understood; the message says what and where."""

    status_code, type, code, log_level = 400, "invalid_request_error", "invalid_request", logging.INFO


class AmbiguousCredentials(InvalidRequest):
    """Two different credentials came in one request's headers."""

    code = "ambiguous_credentials"


class RequestTooLarge(InvalidRequest):
    """The body is larger than the configured limit."""

    status_code, code = 413, "request_too_large"


class RequestTimeout(InvalidRequest):
    """The body did not arrive in time."""

    status_code, code = 408, "request_timeout"


class Unauthenticated(GatewayError):
    """No authenticator knows the caller."""

    status_code, type, code, log_level = 401, "authentication_error", "invalid_api_key", logging.INFO


class PermissionDenied(GatewayError):
    """The caller is known and lacks the scope."""

    status_code, type, code, log_level = 403, "permission_error", "insufficient_scope", logging.INFO


class RateLimited(GatewayError):
    """A limiter refused; `retry_after` says when to come again."""

    status_code, type, code, log_level = 429, "rate_limit_error", "rate_limit_exceeded", logging.INFO


class ModelNotFound(GatewayError):
    """No model of that name for this caller; a lookup may raise it with words of its own."""

    status_code, type, code, log_level = 404, "invalid_request_error", "model_not_found", logging.INFO


class UnknownUrl(GatewayError):
    """Nothing is served at this path."""

    status_code, type, code, log_level = 404, "invalid_request_error", "unknown_url", logging.INFO


class NotServed(GatewayError):
    """The model is known, and its provider has no answer to requests of this kind."""

    status_code, type, code, log_level = 404, "invalid_request_error", "not_served_by_provider", logging.INFO


class LookupFailed(GatewayError):
    """A model lookup's backend could not be asked; the detail is for the log."""

    type, code = "api_error", "lookup_failed"


class PluginError(GatewayError):
    """A plugin broke its contract; `plugin` names it, `stage` where. That of a provider has no stage."""

    status_code, type, code = 503, "api_error", "plugin_error"

    def __init__(self, message: str, *, plugin: str, stage: str = "", status: int | None = None) -> None:
        super().__init__(message, status=status)
        self.plugin = plugin
        self.stage = stage


class Overloaded(GatewayError):
    """The gateway has no room for the request now."""

    status_code, type, code, log_level = 503, "api_error", "overloaded", logging.WARNING


class ShuttingDown(GatewayError):
    """The gateway takes no new exchanges."""

    status_code, type, code, log_level = 503, "api_error", "server_shutting_down", logging.INFO


class UpstreamFault(GatewayError):
    """Something upstream failed; base of what an attempt can end with."""

    status_code, type, code, log_level = 502, "api_error", "upstream_error", logging.WARNING
    detail: str = ""
    """What happened, for the log alone: it may name addresses."""


class UpstreamError(UpstreamFault):
    """The upstream answered with an error status; its body and headers are kept for the dialect's wording."""

    def __init__(
        self,
        status: int,
        body: bytes = b"",
        headers: Headers = (),
        *,
        message: str = "",
        provider: str | None = None,
        retry_after: float | None = None,
        retryable: bool | None = None,
    ) -> None:
        message = message or f"The upstream answered {status}."
        super().__init__(message, status=status, provider=provider, retry_after=retry_after)
        self.body = body
        self.headers = headers
        self.retryable = (status in (408, 409, 429) or status >= 500) if retryable is None else retryable


class ModelMisconfigured(UpstreamFault):
    """The model cannot be called as it is configured, such as with a key that is not there; `detail` says why."""

    code, log_level = "model_misconfigured", logging.ERROR


class InvalidUpstreamUrl(UpstreamFault):
    """The model's base URL cannot be parsed as a URL."""

    code = "upstream_invalid_url"


class UpstreamUnreachable(UpstreamFault):
    """No answer came: refused, unknown host, unusable address or key, denied by the guard.

    Where the same try would fail in the same way at once, as with a denied address, `retryable` is False on it.
    """

    code = "upstream_unreachable"
    retryable = True


class UpstreamTlsError(UpstreamUnreachable):
    """The TLS handshake failed; certificate details stay in the log. The next one there would fail in the same way."""

    code = "upstream_tls"
    retryable = False


class UpstreamRedirect(UpstreamUnreachable):
    """The upstream answered with a redirect, which is never followed."""

    code = "upstream_redirect"
    retryable = False


class UpstreamReset(UpstreamUnreachable):
    """The connection ended before the HTTP message was complete, or brought something else than HTTP."""

    code = "upstream_disconnected"


class StaleConnection(UpstreamReset):
    """A pooled connection died before the first response byte: the next try goes out at once on a fresh one."""


class UpstreamTimeout(UpstreamFault):
    """The upstream did not answer in time."""

    status_code, code = 504, "timeout"


class UpstreamConnectTimeout(UpstreamTimeout):
    """No connection in time; the router may go on with another model, never with the same one."""


class UpstreamBroken(UpstreamFault):
    """The answer failed before its first content; `failure` is the event that says how."""

    def __init__(self, failure: "Failure") -> None:
        super().__init__(failure.message, status=failure.status)
        self.failure = failure
        self.code = failure.code
        self.retryable = failure.retryable
