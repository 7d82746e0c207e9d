"""What an error says about the model and the credential it came from."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from gateway.errors import (
    GatewayError,
    InvalidUpstreamUrl,
    ModelMisconfigured,
    PluginError,
    StaleConnection,
    UpstreamBroken,
    UpstreamError,
    UpstreamFault,
    UpstreamReset,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from gateway.events import Cause


class Ailment(StrEnum):
    """The classes of errors that count against an upstream; a client's own mistake is none of them."""

    CREDENTIAL = "credential"
    """401, 402, 403: whoever uses this credential is refused."""
    LIMIT = "rate_limit"
    """429."""
    SERVER = "server_error"
    """Any other status from 500 up."""
    TIMEOUT = "timeout"
    """No connection, no content or no more content in time."""
    CONNECTION = "connection"
    """No way to it: refused, unknown, TLS, a redirect."""
    CUT = "cut"
    """Its answer ended before it was complete."""
    MALFORMED = "malformed"
    """It sent what its dialect does not have."""
    PROVIDER = "provider"
    """The plugin that speaks its dialect failed, or is not there."""
    MISCONFIGURED = "misconfigured"
    """It cannot be called as it is configured."""


_CREDENTIAL: Final = frozenset({401, 402, 403})
_BROKEN: Final[Mapping[str, Ailment | None]] = {
    Cause.EOF: Ailment.CUT,
    Cause.RESET: Ailment.CUT,
    Cause.FIRST_TIMEOUT: Ailment.TIMEOUT,
    Cause.IDLE: Ailment.TIMEOUT,
    "upstream_protocol": Ailment.MALFORMED,
    "event_too_large": Ailment.MALFORMED,
    # Not the upstream's doing.
    **dict.fromkeys((Cause.DEADLINE, Cause.SHUTDOWN, Cause.CLIENT_GONE, Cause.CLIENT_SLOW, "plugin_error")),
}
_ELSEWHERE: Final = frozenset({Ailment.CREDENTIAL, Ailment.LIMIT, Ailment.PROVIDER, Ailment.MISCONFIGURED})


def ailment_of(error: GatewayError) -> Ailment | None:
    """The class of an attempt's error; None = it says nothing against the upstream."""
    if isinstance(error, UpstreamBroken) and error.code in _BROKEN:
        return _BROKEN[error.code]
    if isinstance(error, UpstreamError | UpstreamBroken):
        return _of_status(error.status)
    if isinstance(error, StaleConnection):  # an idle connection may end at any time
        return None
    if isinstance(error, ModelMisconfigured | InvalidUpstreamUrl):
        return Ailment.MISCONFIGURED
    if isinstance(error, UpstreamTimeout):
        return Ailment.TIMEOUT
    if isinstance(error, UpstreamReset):
        return Ailment.CUT
    if isinstance(error, UpstreamUnreachable):
        return Ailment.CONNECTION
    if isinstance(error, PluginError):
        return None if error.stage else Ailment.PROVIDER
    return Ailment.SERVER if isinstance(error, UpstreamFault) else None


def may_go_elsewhere(error: GatewayError) -> bool:
    """Whether another target may answer what this one did not, also where the same one must not be asked again."""
    if error.retryable or isinstance(error, UpstreamTimeout | UpstreamUnreachable):
        return True
    return ailment_of(error) in _ELSEWHERE


def _of_status(status: int) -> Ailment | None:
    if status in _CREDENTIAL:
        return Ailment.CREDENTIAL
    if status == 429:
        return Ailment.LIMIT
    if status == 408:
        return Ailment.TIMEOUT
    return Ailment.SERVER if status >= 500 else None
