"""The steps of stream transforms on one attempt's answer."""

import inspect
from collections.abc import Awaitable, Callable
from typing import Any

from gateway.domain import Exchange
from gateway.errors import GatewayError
from gateway.events import Event, Failure
from gateway.pipeline.calls import Calls, skips
from gateway.runtime import Generation


class _Running:
    __slots__ = ("plugin", "skips", "step", "waits")

    def __init__(self, plugin: str, step: Callable[[list[Event]], Any], *, skips: bool) -> None:
        self.plugin = plugin
        self.step = step
        self.skips = skips
        self.waits = inspect.iscoroutinefunction(step) or inspect.iscoroutinefunction(type(step).__call__)


class Steps:
    """Applies the steps one after the other; one that raises follows its transform's failure rule.

    What a step ends with a failure of its own, those after it still get: they may hold something back.
    """

    __slots__ = ("_calls", "_steps", "wait")

    def __init__(self, steps: list[_Running], calls: Calls) -> None:
        self._steps = steps
        self._calls = calls
        self.wait = any(step.waits for step in steps)
        """Whether one of them waits."""

    def apply(self, events: list[Event]) -> list[Event]:
        """What goes on; a step that fails for good ends the answer with a `Failure`."""
        for running in tuple(self._steps):
            try:
                events = running.step(events)
            except Exception as error:  # noqa: BLE001 - a named border: a step is a plugin's
                if (failure := self._fault(running, error)) is not None:
                    events = [failure]
        return events

    async def apply_waiting(self, events: list[Event]) -> list[Event]:
        """`apply` with steps that wait among them."""
        for running in tuple(self._steps):
            try:
                if running.waits:
                    waiting: Awaitable[list[Event]] = running.step(events)
                    events = await self._calls.within(waiting)
                else:
                    events = running.step(events)
            except Exception as error:  # noqa: BLE001 - a named border: a step is a plugin's
                if (failure := self._fault(running, error)) is not None:
                    events = [failure]
        return events

    def _fault(self, running: _Running, error: Exception) -> Failure | None:
        if isinstance(error, GatewayError):
            return Failure(code=error.code, message=error.message, status=error.status, retryable=False)
        self._calls.fault(running.plugin, "stream_transforms", error)
        if running.skips:
            self._steps.remove(running)
            return None
        return Failure(
            code="plugin_error", message=f'The plugin "{running.plugin}" failed.', status=503, retryable=False
        )


def start_steps(generation: Generation, exchange: Exchange, calls: Calls) -> Steps | None:
    """The steps of this attempt, None when no transform wants it; raises `PluginError` for one that cannot start.

    Requests go down, responses come back up: the first in the stage's order is the nearest to the client, so its step
    is the last.
    """
    steps = []
    for transform in reversed(generation.stream_transforms):
        if skips(transform.object) and calls.faults.quarantined(transform.plugin, "stream_transforms"):
            continue
        try:
            step = transform.object.start(exchange)
        except Exception as error:  # noqa: BLE001 - a named border
            calls.judge(transform, "stream_transforms", error)
            continue
        if step is not None:
            steps.append(_Running(transform.plugin, step, skips=skips(transform.object)))
    return Steps(steps, calls) if steps else None
