"""`/admin/generations`: what every worker serves, and what it still finishes."""

import msgspec
from litestar import get
from litestar.handlers import HTTPRouteHandler

from gateway.api.admin.control import Control, WorkerStatus


class GenerationsView(msgspec.Struct, frozen=True):
    """Every worker's generations."""

    workers: list[WorkerStatus]


def generation_handlers(control: Control) -> list[HTTPRouteHandler]:
    """The handlers of the resource."""

    @get("/generations")
    async def show() -> GenerationsView:
        return GenerationsView(list(control.workers()))

    return [show]
