"""The generation that serves, and those that only finish what they began."""

import asyncio

from gateway.runtime.generation import Generation


class _Running:
    """One generation with its lifespans open, held by one task: a context manager is left where it was entered."""

    def __init__(self, generation: Generation) -> None:
        self.generation = generation
        self.exchanges = 0
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
        if self.retired and not self.exchanges:
            self._idle.set()

    async def _run(self) -> None:
        async with self.generation.running():
            self._started.set()
            await self._idle.wait()


class Generations:
    """Holds the generation new exchanges start with, and older ones until their last exchange ends."""

    def __init__(self) -> None:
        self._current: _Running | None = None
        self._held: dict[int, _Running] = {}

    @property
    def current(self) -> Generation:
        """The generation new exchanges start with."""
        return self._serving().generation

    async def publish(self, generation: Generation) -> None:
        """Open a generation and let it serve from now on; if it cannot be opened, the old one stays."""
        if generation.number in self._held:
            raise ValueError(f"generation {generation.number} is already published")
        running = _Running(generation)
        try:
            await running.started()
        except BaseException:
            running.task.cancel()
            raise
        self._held[generation.number] = running
        old, self._current = self._current, running
        if old is not None:
            old.retire()
            old.task.add_done_callback(lambda task: self._forget(old))

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

    def _serving(self) -> _Running:
        if self._current is None:
            raise RuntimeError("no generation is published")
        return self._current

    def _forget(self, running: _Running) -> None:
        # One that failed to stop stays until `aclose`, which tells.
        if not running.task.cancelled() and running.task.exception() is None:
            self._held.pop(running.generation.number, None)
