"""`/admin/plugins`: which plugins there are, and switching them while the gateway serves."""

from collections.abc import Sequence
from typing import Any

import msgspec
from litestar import Request, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from gateway.api.admin.body import Nothing, read_body
from gateway.api.admin.control import Control, WorkerStatus
from gateway.protocols import Fault
from gateway.runtime import PluginEntry


class PluginView(msgspec.Struct, frozen=True, kw_only=True):
    """One plugin as it is shown: nothing of its settings."""

    name: str
    distribution: str
    version: str
    origin: str
    api: str
    state: str
    reason: str
    hooks: tuple[str, ...]
    failures: int
    """How often it failed in exchanges, of every worker."""
    quarantined: tuple[str, ...]
    """Stages in which a worker leaves it out for now, because it kept failing."""


class PluginsView(msgspec.Struct, frozen=True, kw_only=True):
    """The plugins of this worker's current generation, and what every worker serves."""

    generation: int
    plugins: list[PluginView]
    workers: list[WorkerStatus]
    needs_restart: list[str]
    """Changed settings that count from the next start only."""


def plugin_handlers(control: Control) -> list[HTTPRouteHandler]:
    """The handlers of the resource."""

    @get("/plugins")
    async def show() -> PluginsView:
        return _view(control)

    @post("/plugins/{name:str}/enable", status_code=200)
    async def enable(request: Request[Any, Any, Any], name: FromPath[str]) -> PluginsView:
        await read_body(request, Nothing)
        await control.switch(name, on=True)
        return _view(control)

    @post("/plugins/{name:str}/disable", status_code=200)
    async def disable(request: Request[Any, Any, Any], name: FromPath[str]) -> PluginsView:
        await read_body(request, Nothing)
        await control.switch(name, on=False)
        return _view(control)

    @post("/plugins/reload", status_code=200)
    async def reload(request: Request[Any, Any, Any]) -> PluginsView:
        await read_body(request, Nothing)
        await control.reload()
        return _view(control)

    @post("/plugins/rollback", status_code=200)
    async def rollback(request: Request[Any, Any, Any]) -> PluginsView:
        await read_body(request, Nothing)
        await control.rollback()
        return _view(control)

    return [show, enable, disable, reload, rollback]


def _view(control: Control) -> PluginsView:
    workers = list(control.workers())
    faults = [fault for worker in workers for fault in worker.faults]
    return PluginsView(
        generation=workers[0].generation,
        plugins=[_plugin(entry, faults) for entry in control.plugins()],
        workers=workers,
        needs_restart=list(control.needs_restart()),
    )


def _plugin(entry: PluginEntry, faults: Sequence[Fault]) -> PluginView:
    own = [fault for fault in faults if fault.plugin == entry.name]
    return PluginView(
        name=entry.name,
        distribution=entry.distribution,
        version=entry.version,
        origin=entry.origin,
        api=entry.api,
        state=entry.state.value,
        reason=entry.reason,
        hooks=entry.hooks,
        failures=sum(fault.failures for fault in own),
        quarantined=tuple(sorted({fault.stage for fault in own if fault.quarantined})),
    )
