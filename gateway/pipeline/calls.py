"""How the pipeline calls plugins: within a time limit, every fault named, none hidden."""

import asyncio
import time
from collections.abc import Awaitable
from types import CoroutineType
from typing import Any, NoReturn, TypeVar

from gateway.cancellation import StrayCancellation, cancelled_by_us
from gateway.errors import GatewayError, PluginError
from gateway.pipeline.patience import Patience
from gateway.pipeline.stepping import resumed
from gateway.protocols import Logger
from gateway.runtime import Faults, Registered

T = TypeVar("T")

LIMIT = 15.0
"""Seconds that one call of a plugin may take before the first byte to the upstream."""


class Calls:
    """Calls plugins' objects and keeps account of their faults."""

    def __init__(self, faults: Faults, log: Logger, *, limit: float = LIMIT) -> None:
        self.faults = faults
        self._log = log
        self._limit = limit

    async def within(self, waiting: Awaitable[T], timings: dict[str, float] | None = None, name: str = "") -> T:
        """The result; raises `TimeoutError` when it takes too long. The time it took is added to `timings`.

        Only who cancels this task cancels it: what a plugin waited for and was cancelled is `StrayCancellation`.
        """
        started = time.perf_counter()
        try:
            if not isinstance(waiting, CoroutineType):
                with Patience(self._limit):
                    return await waiting
            try:
                waits_for = waiting.send(None)
            except StopIteration as done:
                answer: T = done.value
                return answer  # it did not wait, as most do: a clock would cost more than the call
            with Patience(self._limit):
                return await resumed(waiting, waits_for)
        except asyncio.CancelledError as error:
            if cancelled_by_us():
                raise
            raise StrayCancellation from error
        finally:
            if timings is not None:
                timings[name] = timings.get(name, 0.0) + time.perf_counter() - started

    def fault(self, plugin: str, stage: str, error: BaseException) -> None:
        """Count and log what a plugin raised."""
        self._log.error("plugin_failed", plugin=plugin, hook=f"register_{stage}", error=type(error).__name__)
        if self.faults.failed(plugin, stage):
            self._log.error("plugin_quarantined", plugin=plugin, hook=f"register_{stage}")

    def refuse(self, plugin: str, stage: str, error: BaseException) -> NoReturn:
        """Count what a plugin raised, and refuse the exchange: this stage fails closed."""
        self.fault(plugin, stage, error)
        raise PluginError(f'The plugin "{plugin}" failed.', plugin=plugin, stage=stage) from error

    def judge(self, registered: Registered[Any], stage: str, error: Exception) -> None:
        """A transform raised: a refusal of its own passes, a fault follows the transform's rule."""
        if isinstance(error, GatewayError):
            raise error
        if not skips(registered.object):
            self.refuse(registered.plugin, stage, error)
        self.fault(registered.plugin, stage, error)


def skips(transform: object) -> bool:
    """Whether a transform that fails is left out; one that guards never is."""
    return getattr(transform, "on_error", "fail") == "skip" and not getattr(transform, "guard", False)
