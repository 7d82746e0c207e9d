"""What was taken of limits: counted by a Redis or Valkey server, for all workers and hosts together."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

from gateway.protocols import Logger
from gateway_limits.counters import Cell, Counters, OwnCounters, Taken
from gateway_limits.scripts import SETTLE, TAKE

_PREFIX: Final = "gateway:{limits}:"
"""The braces keep all on one server of a cluster, as one script needs."""
LEASE: Final = 60.0
"""Seconds that a place of `concurrent` outlives a process that says nothing more."""
_LOOK: Final = 1.0
"""Seconds between two looks at a server that is away."""
_RENEWALS: Final = 20.0
"""Seconds between two renewals of the places that are held."""


class SharedCounters:
    """Counts there; while the server is away, here: from then on no request waits for it, until a look finds it back.

    What the server said last is known here as well, and is where counting here begins: it lets through no more than one
    more minute's worth for each process.
    """

    def __init__(self, client: Any, patience: float, log: Logger) -> None:
        self._client = client
        self._patience = patience
        self._log = log
        self._own = OwnCounters()
        self._take = client.register_script(TAKE)
        self._settle = client.register_script(SETTLE)
        self._places: dict[str, Sequence[str]] = {}
        """The places that holders have there, to be renewed."""
        self._there: set[str] = set()
        """Holders that are counted there."""
        self.away = False
        """Whether this process counts by itself."""

    @property
    def ailing(self) -> str:
        """What it does without."""
        return "the server that counts for all is away, each process counts by itself" if self.away else ""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Look after the server while the context is open."""
        await self._look()
        task = asyncio.get_running_loop().create_task(self._look_after(), name="limits")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            with suppress(Exception):
                await self._client.aclose()

    async def take(self, cells: Sequence[Cell], holder: str) -> Taken:
        """Take all that the exchange needs, or nothing."""
        if not self.away:
            arguments: list[Any] = [holder, LEASE]
            for cell in cells:
                arguments += (cell.kind, cell.limit, cell.need)
            try:
                async with asyncio.timeout(self._patience):
                    refused, *left = await self._take(keys=_names(cells), args=arguments)
            except Exception as error:  # noqa: BLE001 - a named border: whatever a server that fails does
                self._lost(error)
            else:
                taken = Taken(tuple(map(float, left)), int(refused) - 1 if int(refused) else None)
                self._own.note(cells, holder, taken)
                if taken.refused is None:
                    self._there.add(holder)
                    if places := [_PREFIX + cell.name for cell in cells if cell.kind == "concurrent"]:
                        self._places[holder] = places
                return taken
        return await self._own.take(cells, holder)

    async def settle(self, cells: Sequence[Cell], holder: str, tokens: float) -> None:
        """The exchange is over; of one that the server counted and cannot be told now, its reservation fades."""
        await self._own.settle(cells, holder, tokens)
        self._places.pop(holder, None)
        if holder not in self._there:
            return
        self._there.discard(holder)
        if self.away:
            return
        arguments: list[Any] = [holder]
        for cell in cells:
            arguments += (cell.kind, cell.limit, cell.need - tokens if cell.kind == "tpm" else 0)
        try:
            async with asyncio.timeout(self._patience):
                await self._settle(keys=_names(cells), args=arguments)
        except Exception as error:  # noqa: BLE001 - a named border
            self._lost(error)

    def left(self, cell: Cell) -> float:
        """What is left of a limit, as the server said last to this process."""
        return self._own.left(cell)

    def _lost(self, error: BaseException) -> None:
        if not self.away:
            self.away = True
            self._log.error("limits_counted_alone", error=type(error).__name__)

    async def _look_after(self) -> None:
        renewed = asyncio.get_running_loop().time()
        while True:
            await asyncio.sleep(_LOOK)
            if self.away:
                await self._look()
            now = asyncio.get_running_loop().time()
            if not self.away and now - renewed >= _RENEWALS:
                renewed = now
                await self._renew()

    async def _look(self) -> None:
        try:
            async with asyncio.timeout(max(_LOOK, self._patience)):
                await self._client.ping()
        except Exception as error:  # noqa: BLE001 - a named border
            self._lost(error)
            return
        if self.away:
            self.away = False
            self._log.info("limits_counted_together")

    async def _renew(self) -> None:
        """Say that those who hold a place still do."""
        try:
            async with asyncio.timeout(max(_LOOK, self._patience)):
                now = float((await self._client.time())[0])
                pipe = self._client.pipeline(transaction=False)
                for holder, names in self._places.items():
                    for name in names:
                        pipe.zadd(name, {holder: now + LEASE}, xx=True)
                        pipe.expire(name, int(LEASE) + 1)
                await pipe.execute()
        except Exception as error:  # noqa: BLE001 - a named border
            self._lost(error)


def _names(cells: Sequence[Cell]) -> list[str]:
    return [_PREFIX + cell.name for cell in cells]


if TYPE_CHECKING:
    _: type[Counters] = SharedCounters
