"""The one door to upstreams: guarded at the dial, pooled by tenant, bounded, truthful about how an answer ended."""

from gateway.egress.capture import Capture, CapturedRequest
from gateway.egress.client import EgressClient
from gateway.egress.policy import EgressPolicy
from gateway.egress.resolver import Resolver, SystemResolver
from gateway.egress.selftest import SelfTestFailed, self_test

__all__ = (
    "Capture",
    "CapturedRequest",
    "EgressClient",
    "EgressPolicy",
    "Resolver",
    "SelfTestFailed",
    "SystemResolver",
    "self_test",
)
