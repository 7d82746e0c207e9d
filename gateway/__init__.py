"""A streaming LLM gateway: truthful, pluggable, fast, safe. This is the public door for plugin authors."""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.domain import (
        Attempt,
        Credentials,
        Exchange,
        Model,
        Outcome,
        Prices,
        Principal,
        Quirks,
        Route,
        Timeouts,
        UsageRecord,
    )
    from gateway.errors import (
        GatewayError,
        InvalidRequest,
        LookupFailed,
        ModelNotFound,
        Unauthenticated,
        UpstreamError,
        UpstreamFault,
        UpstreamTimeout,
        UpstreamUnreachable,
    )
    from gateway.hookspecs import hookimpl
    from gateway.protocols import (
        Authenticator,
        ByteUpstream,
        ClientDialect,
        ErrorMapper,
        EventUpstream,
        Gateway,
        ModelLookup,
        Provider,
        ProviderClient,
        Upstream,
        UpstreamDialect,
        UsageSink,
    )
    from gateway.requests import ChatRequest
    from gateway.secrets import Secret

API_VERSION = "1.0"
__version__ = "0.1.0"

__all__ = (
    "API_VERSION",
    "Attempt",
    "Authenticator",
    "ByteUpstream",
    "ChatRequest",
    "ClientDialect",
    "Credentials",
    "ErrorMapper",
    "EventUpstream",
    "Exchange",
    "Gateway",
    "GatewayError",
    "InvalidRequest",
    "LookupFailed",
    "Model",
    "ModelLookup",
    "ModelNotFound",
    "Outcome",
    "Prices",
    "Principal",
    "Provider",
    "ProviderClient",
    "Quirks",
    "Route",
    "Secret",
    "Timeouts",
    "Unauthenticated",
    "Upstream",
    "UpstreamDialect",
    "UpstreamError",
    "UpstreamFault",
    "UpstreamTimeout",
    "UpstreamUnreachable",
    "UsageRecord",
    "UsageSink",
    "__version__",
    "hookimpl",
)

_ROOMS = ("domain", "errors", "hookspecs", "protocols", "requests", "secrets")


def __getattr__(name: str) -> object:
    """Open a room when somebody asks for what is in it: `gateway --help` needs none of them."""
    if name in __all__:
        for room in _ROOMS:
            found = getattr(import_module(f"{__name__}.{room}"), name, None)
            if found is not None:
                return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
