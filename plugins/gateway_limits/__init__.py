"""Limits: requests and tokens per minute, and exchanges at one time, of keys, owners and models."""

from gateway import Gateway, Limiter, hookimpl
from gateway.protocols import Lifespan
from gateway_limits.limiter import Limits
from gateway_limits.settings import Settings as Settings


@hookimpl
def register_limiters(gateway: Gateway) -> list[Limiter]:
    return [Limits.of(gateway)]


@hookimpl
def lifespan(gateway: Gateway) -> Lifespan:
    return Limits.of(gateway).running()
