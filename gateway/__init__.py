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
        RateLimited,
        Unauthenticated,
        UpstreamError,
        UpstreamFault,
        UpstreamTimeout,
        UpstreamUnreachable,
    )
    from gateway.events import (
        Citation,
        End,
        Event,
        Failure,
        Finish,
        Opaque,
        Reasoning,
        Refusal,
        Start,
        Text,
        ToolCall,
        Usage,
    )
    from gateway.hookspecs import hookimpl
    from gateway.prompt import (
        MediaPart,
        Message,
        OpaquePart,
        OpaqueTool,
        Part,
        Prompt,
        ReasoningPart,
        ResponseFormat,
        TextPart,
        Thinking,
        Tool,
        ToolCallPart,
        ToolChoice,
        ToolResultPart,
    )
    from gateway.protocols import (
        OBSERVED,
        AsyncStep,
        Authenticator,
        ByteUpstream,
        ClientDialect,
        ErrorMapper,
        EventUpstream,
        Gateway,
        HealthView,
        Limiter,
        Logger,
        ModelLookup,
        Provider,
        ProviderClient,
        RequestTransform,
        RoutingStrategy,
        Step,
        StreamObserver,
        StreamTransform,
        Upstream,
        UpstreamDialect,
        UsageSink,
    )
    from gateway.providers import ChatProvider, DialectProvider, EventProvider, EventResponse, UpstreamCall
    from gateway.requests import ChatRequest
    from gateway.secrets import Secret
    from gateway.terms import Condition, Hedge, RouteOptions, Terms

API_VERSION = "1.0"
__version__ = "0.1.0"

__all__ = (
    "API_VERSION",
    "OBSERVED",
    "AsyncStep",
    "Attempt",
    "Authenticator",
    "ByteUpstream",
    "ChatProvider",
    "ChatRequest",
    "Citation",
    "ClientDialect",
    "Condition",
    "Credentials",
    "DialectProvider",
    "End",
    "ErrorMapper",
    "Event",
    "EventProvider",
    "EventResponse",
    "EventUpstream",
    "Exchange",
    "Failure",
    "Finish",
    "Gateway",
    "GatewayError",
    "HealthView",
    "Hedge",
    "InvalidRequest",
    "Limiter",
    "Logger",
    "LookupFailed",
    "MediaPart",
    "Message",
    "Model",
    "ModelLookup",
    "ModelNotFound",
    "Opaque",
    "OpaquePart",
    "OpaqueTool",
    "Outcome",
    "Part",
    "Prices",
    "Principal",
    "Prompt",
    "Provider",
    "ProviderClient",
    "Quirks",
    "RateLimited",
    "Reasoning",
    "ReasoningPart",
    "Refusal",
    "RequestTransform",
    "ResponseFormat",
    "Route",
    "RouteOptions",
    "RoutingStrategy",
    "Secret",
    "Start",
    "Step",
    "StreamObserver",
    "StreamTransform",
    "Terms",
    "Text",
    "TextPart",
    "Thinking",
    "Timeouts",
    "Tool",
    "ToolCall",
    "ToolCallPart",
    "ToolChoice",
    "ToolResultPart",
    "Unauthenticated",
    "Upstream",
    "UpstreamCall",
    "UpstreamDialect",
    "UpstreamError",
    "UpstreamFault",
    "UpstreamTimeout",
    "UpstreamUnreachable",
    "Usage",
    "UsageRecord",
    "UsageSink",
    "__version__",
    "hookimpl",
)

_ROOMS = ("domain", "errors", "events", "hookspecs", "prompt", "protocols", "providers", "requests", "secrets", "terms")


def __getattr__(name: str) -> object:
    """Open a room when somebody asks for what is in it: `gateway --help` needs none of them."""
    if name in __all__:
        for room in _ROOMS:
            found = getattr(import_module(f"{__name__}.{room}"), name, None)
            if found is not None:
                return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
