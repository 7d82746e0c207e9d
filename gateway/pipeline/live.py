"""An exchange while it runs: what may stop it from outside, and why it was stopped."""

import asyncio

from gateway.domain import Exchange
from gateway.events import Cause
from gateway.pipeline.outlet import Outlet
from gateway.pipeline.pump import Pump
from gateway.protocols import ClientDialect, Limiter, Receive
from gateway.runtime import Generation, Registered


class Live:
    """One running exchange; its task is cancelled with a cause, never without."""

    __slots__ = ("_task", "_watcher", "acquired", "cause", "dialect", "exchange", "generation", "outlet", "pump")

    def __init__(self, exchange: Exchange, outlet: Outlet, generation: Generation, dialect: ClientDialect) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._task = task
        self._watcher: asyncio.Task[None] | None = None
        self.exchange = exchange
        self.outlet = outlet
        self.generation = generation
        """The one it began with, and stays with."""
        self.dialect = dialect
        self.pump: Pump | None = None
        self.acquired: list[Registered[Limiter]] = []
        """Limiters that let it in and are owed its settlement."""
        self.cause: Cause | None = None
        """Why it was stopped from outside."""

    def stop(self, cause: Cause) -> None:
        """End the exchange: visibly where content went out, else by cancelling what it waits for."""
        if self.cause is not None or self.outlet.finished:
            return
        self.cause = cause
        if self.pump is not None and self.outlet.started and cause is not Cause.CLIENT_GONE:
            self.pump.stop(cause)
        else:
            self._task.cancel()

    def stopped(self) -> bool:
        """Whether a cancellation of the task was ours; takes it back so that the task can answer."""
        if self.cause is None:
            return False
        self._task.uncancel()
        return True

    def watch(self, receive: Receive) -> None:
        """Stop the exchange as soon as the client leaves, or let it go on for nobody where the caller is detached."""
        if not self.outlet.watch(self._left):
            self._watcher = asyncio.get_running_loop().create_task(self._watch(receive))

    def unwatch(self) -> None:
        """The exchange is over."""
        if self._watcher is not None:
            self._watcher.cancel()
        else:
            self.outlet.watch(None)

    async def _watch(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._left()

    def _left(self) -> None:
        principal = self.exchange.principal
        if principal is not None and principal.detach and not self.outlet.finished:
            self.outlet.leave()
        else:
            self.stop(Cause.CLIENT_GONE)
