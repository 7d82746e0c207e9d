"""What plugins provide and what they get: typed, and importing nothing heavy.

Objects are made once, while a generation is assembled, by the plain functions of `gateway.hookspecs`;
then their async methods serve requests.
"""

from gateway.protocols.client import (
    ABORT,
    ClientDialect,
    Writer,
)
from gateway.protocols.door import (
    Egress,
    Gateway,
    Lifespan,
    Logger,
    Message,
    Receive,
    Scope,
    Send,
    Serving,
    Snapshot,
)
from gateway.protocols.stages import (
    OBSERVED,
    AsyncStep,
    Authenticator,
    ErrorMapper,
    HealthView,
    Limiter,
    ModelLookup,
    Provider,
    ProviderClient,
    RequestTransform,
    RoutingStrategy,
    Step,
    StreamObserver,
    StreamTransform,
    UsageSink,
)
from gateway.protocols.stats import Cooling, Fault, Stats
from gateway.protocols.upstream import (
    ByteSink,
    ByteStream,
    ByteUpstream,
    EventUpstream,
    Framing,
    Reader,
    Upstream,
    UpstreamDialect,
)

__all__ = (
    "ABORT",
    "OBSERVED",
    "AsyncStep",
    "Authenticator",
    "ByteSink",
    "ByteStream",
    "ByteUpstream",
    "ClientDialect",
    "Cooling",
    "Egress",
    "ErrorMapper",
    "EventUpstream",
    "Fault",
    "Framing",
    "Gateway",
    "HealthView",
    "Lifespan",
    "Limiter",
    "Logger",
    "Message",
    "ModelLookup",
    "Provider",
    "ProviderClient",
    "Reader",
    "Receive",
    "RequestTransform",
    "RoutingStrategy",
    "Scope",
    "Send",
    "Serving",
    "Snapshot",
    "Stats",
    "Step",
    "StreamObserver",
    "StreamTransform",
    "Upstream",
    "UpstreamDialect",
    "UsageSink",
    "Writer",
)
