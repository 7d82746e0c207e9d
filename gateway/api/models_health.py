"""`/health/models`: what a serving process knows of its upstreams."""

import os
from collections.abc import Callable, Sequence

import msgspec
from litestar import get
from litestar.handlers import HTTPRouteHandler

from gateway.protocols import Hedges, ModelHealth


class UpstreamsHealth(msgspec.Struct, frozen=True, kw_only=True):
    """The health of every model, as the worker that answers has seen it."""

    worker: int
    """Its process id."""
    models: Sequence[ModelHealth]
    hedges: Hedges


def models_health_handler(
    models: Callable[[], Sequence[ModelHealth]], hedges: Callable[[], Hedges]
) -> HTTPRouteHandler:
    """The handler of the resource."""

    @get("/health/models", opt={"scope": "admin"})
    async def show() -> UpstreamsHealth:
        return UpstreamsHealth(worker=os.getpid(), models=models(), hedges=hedges())

    return show
