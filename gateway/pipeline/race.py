"""Two attempts for one answer: the first content wins."""

import asyncio
from collections.abc import Callable, Coroutine

from gateway.domain import Attempt, Outcome
from gateway.errors import GatewayError
from gateway.pipeline.live import Live
from gateway.pipeline.pump import Pump

Running = Coroutine[None, None, GatewayError | None]


class Race:
    """The attempts of a hedged exchange, each in a task of its own.

    Nothing of an answer is written before its first content. Whose content comes first has won in that moment, and the
    other one writes nothing any more.
    """

    def __init__(self, live: Live, answered: Callable[[Attempt], None]) -> None:
        self._live = live
        self._answered = answered
        self._tasks: dict[Attempt, asyncio.Task[GatewayError | None]] = {}
        self._pumps: dict[Attempt, Pump] = {}
        self.winner: Attempt | None = None

    @property
    def is_open(self) -> bool:
        """Whether an attempt runs, and none has won."""
        return self.winner is None and not all(task.done() for task in self._tasks.values())

    def enter(self, attempt: Attempt, running: Running) -> None:
        """Let the attempt run, too."""
        self._tasks[attempt] = asyncio.get_running_loop().create_task(running)

    def turn_to(self, attempt: Attempt) -> None:
        """Make it the exchange's last attempt: the one that is spoken of.

        Ends an attempt that has lost and did not take the hint.
        """
        if self.winner not in (None, attempt):
            raise asyncio.CancelledError
        attempts = self._live.exchange.attempts
        attempts.remove(attempt)
        attempts.append(attempt)

    def join(self, attempt: Attempt, pump: Pump) -> None:
        """The attempt's answer comes through this pump."""
        self._pumps[attempt] = pump

    def win(self, attempt: Attempt) -> None:
        """The attempt's first content is there."""
        self.winner, self._live.pump = attempt, self._pumps[attempt]
        self.turn_to(attempt)
        self._answered(attempt)
        for other, task in self._tasks.items():
            if other is not attempt and not task.done():
                other.outcome = Outcome.SUPERSEDED
                # Its pump waits for a future that is cancelled here and now: what is read in this turn of the loop,
                # before the task itself hears of it, is not written any more.
                task.cancel()

    async def wait(self, seconds: float) -> None:
        """Give those that run so long to end."""
        await self._wait(seconds)

    async def end(self) -> GatewayError | None:
        """Wait for all of them: None when one has won, else the error that says most."""
        await self._wait(None)
        if self.winner is not None:
            return None
        errors = [error for task in self._tasks.values() if (error := task.result()) is not None]
        return next((error for error in errors if not error.retryable), errors[-1] if errors else None)

    async def _wait(self, seconds: float | None) -> None:
        tasks = self._tasks.values()
        try:
            await asyncio.wait(tasks, timeout=seconds)
        except asyncio.CancelledError:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            raise
