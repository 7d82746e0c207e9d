"""`/admin/health`: what `/health/ready` says in one word, with the reasons."""

from collections.abc import Awaitable, Callable
from typing import NamedTuple

import msgspec
from litestar import get
from litestar.handlers import HTTPRouteHandler

from gateway.api.admin.control import Control, WorkerStatus
from gateway.protocols import Stats
from gateway.runtime import State


class Condition(NamedTuple):
    """Where the application's own numbers come from."""

    stats: Callable[[], Stats]
    unready: Callable[[], Awaitable[str]]
    """What keeps the gateway from being ready; empty when nothing does."""


class FailedPlugin(msgspec.Struct, frozen=True):
    """A plugin that was to take part and cannot."""

    name: str
    reason: str


class Quarantined(msgspec.Struct, frozen=True):
    """A plugin that is left out of a stage for now, because it kept failing there."""

    plugin: str
    stage: str
    workers: int
    """How many workers leave it out."""


class HealthDetails(msgspec.Struct, frozen=True, kw_only=True):
    """The condition of the gateway: `stats` are those of the worker that answers."""

    status: str
    """`ready`, `not ready` or `draining`, as `/health/ready` says it."""
    reason: str
    """Why it is not ready; empty when it is, or drains."""
    failed_plugins: list[FailedPlugin]
    quarantined: list[Quarantined]
    stats: Stats
    workers: list[WorkerStatus]


def health_handler(control: Control, condition: Condition) -> HTTPRouteHandler:
    """The handler of the resource."""

    @get("/health")
    async def show() -> HealthDetails:
        stats = condition.stats()
        workers = list(control.workers())
        reason = "" if stats.draining else await condition.unready()
        status = "draining" if stats.draining else "not ready" if reason else "ready"
        return HealthDetails(
            status=status,
            reason=reason,
            failed_plugins=[
                FailedPlugin(entry.name, entry.reason) for entry in control.plugins() if entry.state is State.FAILED
            ],
            quarantined=_quarantined(workers),
            stats=stats,
            workers=workers,
        )

    return show


def _quarantined(workers: list[WorkerStatus]) -> list[Quarantined]:
    found: dict[tuple[str, str], int] = {}
    for worker in workers:
        for fault in worker.faults:
            if fault.quarantined:
                found[fault.plugin, fault.stage] = found.get((fault.plugin, fault.stage), 0) + 1
    return [Quarantined(plugin, stage, count) for (plugin, stage), count in sorted(found.items())]
