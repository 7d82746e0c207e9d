"""The generation that serves, and those that only finish what they began."""

import asyncio
from collections.abc import Callable
from typing import NamedTuple

from gateway.runtime.generation import Generation


class Draining(NamedTuple):
    """An old generation that finishes what it began."""

    number: int
    exchanges: int


class OpenGeneration:
    """One generation with its lifespans open, held by one task: a context manager is left where it was entered."""

    def __init__(self, generation: Generation) -> None:
        self.generation = generation
        self.exchanges = 0
        self.requests = 0
        """Requests under way that may, or may not, become exchanges."""
        self.retired = False
        self._started = asyncio.Event()
        self._idle = asyncio.Event()
        self.task = asyncio.create_task(self._run(), name=f"generation {generation.number}")

    async def started(self) -> None:
        """Return once the lifespans are open; raises what kept them from it."""
        waiting = asyncio.create_task(self._started.wait())
        await asyncio.wait((waiting, self.task), return_when=asyncio.FIRST_COMPLETED)
        if not waiting.done():
            waiting.cancel()
            self.task.result()

    def retire(self) -> None:
        """Close when the last exchange ends, at once if there is none."""
        self.retired = True
        self.settle()

    def settle(self) -> None:
        """Look whether it is time to close."""
        if self.retired and not self.exchanges and not self.requests:
            self._idle.set()

    async def _run(self) -> None:
        async with self.generation.running() as self.generation:
            self._started.set()
            await self._idle.wait()


def _ignore(generation: Generation, error: BaseException | None) -> None:
    """Nobody wants to know."""


class Generations:
    """Holds the generation new exchanges start with, and older ones until their last exchange ends.

    `on_closed` hears of every old generation that has closed, with what its plugins' lifespans raised at their end.
    """

    def __init__(self, on_closed: Callable[[Generation, BaseException | None], None] = _ignore) -> None:
        self._current: OpenGeneration | None = None
        self._held: dict[int, OpenGeneration] = {}
        self._on_closed = on_closed
        self.closed = 0
        """Old generations that have closed."""

    @property
    def current(self) -> Generation:
        """The generation new exchanges start with."""
        return self._serving().generation

    @property
    def is_open(self) -> bool:
        """Whether one is published and `aclose` has not begun."""
        return self._current is not None

    @property
    def exchanges(self) -> int:
        """The exchanges running in the current generation."""
        return self._current.exchanges if self._current is not None else 0

    def draining(self) -> list[Draining]:
        """The old generations that are not closed yet, oldest first."""
        old = (running for running in self._held.values() if running is not self._current)
        return [Draining(running.generation.number, running.exchanges) for running in old]

    async def publish(self, generation: Generation) -> None:
        """Open a generation and let it serve from now on; if it cannot be opened, the old one stays."""
        self.take_over(await self.open(generation))

    async def open(self, generation: Generation) -> OpenGeneration:
        """Open a generation's lifespans; nothing is served by it before `take_over`, else `discard` it."""
        if generation.number in self._held:
            raise ValueError(f"generation {generation.number} is already published")
        opened = OpenGeneration(generation)
        try:
            await opened.started()
        except BaseException:
            opened.task.cancel()
            raise
        return opened

    def take_over(self, opened: OpenGeneration) -> None:
        """Let it serve from now on, at once and as a whole; the old one closes after its last exchange."""
        self._held[opened.generation.number] = opened
        old, self._current = self._current, opened
        if old is not None:
            old.retire()
            old.task.add_done_callback(lambda task: self._forget(old))

    async def discard(self, opened: OpenGeneration) -> None:
        """Close one that never served; raises what a plugin's lifespan raised at its end."""
        opened.retire()
        await opened.task

    def pin(self) -> Generation:
        """The current generation, kept open until `release`."""
        running = self._serving()
        running.exchanges += 1
        return running.generation

    def release(self, generation: Generation) -> None:
        """The exchange that pinned this generation has ended."""
        running = self._held[generation.number]
        running.exchanges -= 1
        running.settle()

    def hold(self) -> OpenGeneration:
        """The current generation, kept open for a request until `let_go`; it does not count as an exchange."""
        running = self._serving()
        running.requests += 1
        return running

    def let_go(self, held: OpenGeneration) -> None:
        """The request that held this generation has been answered."""
        held.requests -= 1
        held.settle()

    async def aclose(self) -> None:
        """Close every generation once its exchanges have ended; raises what a plugin's lifespan raised at its end."""
        self._current = None
        held = tuple(self._held.values())
        for running in held:
            running.retire()
        results = await asyncio.gather(*(running.task for running in held), return_exceptions=True)
        self._held.clear()
        for result in results:
            if isinstance(result, BaseException):
                raise result

    def _serving(self) -> OpenGeneration:
        if self._current is None:
            raise RuntimeError("no generation is published")
        return self._current

    def _forget(self, running: OpenGeneration) -> None:
        if self._held.get(running.generation.number) is running:
            del self._held[running.generation.number]
        self.closed += 1
        self._on_closed(running.generation, None if running.task.cancelled() else running.task.exception())
